package runners

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/attune-automation/attune/messages"
)

// programCommand makes the process of an entry point: the parameters are one
// JSON document on its standard input.
func programCommand(p *Processes, d *messages.Dispatch) (*command, error) {
	argv, err := program(d)
	if err != nil {
		return nil, err
	}
	output, err := os.CreateTemp(p.outputDir(), "result-")
	if err != nil {
		return nil, fmt.Errorf("make a file for the result: %w", err)
	}
	output.Close()
	env := p.environment(d)
	env.set("ATTUNE_OUTPUT", output.Name())
	return &command{argv: argv, dir: d.Dir, env: env.entries(), stdin: d.Parameters, output: output.Name()}, nil
}

// program is the command line for an entry point: the file itself if it is
// executable, else with the interpreter that its first line names.
func program(d *messages.Dispatch) ([]string, error) {
	if d.EntryPoint == "" || !filepath.IsLocal(d.EntryPoint) || !filepath.IsAbs(d.Dir) {
		return nil, refusal("the entry point %q is not within its pack", d.EntryPoint)
	}
	path := filepath.Join(d.Dir, d.EntryPoint)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refusal("the entry point is missing: %w", err)
	}
	if err != nil {
		return nil, refusal("open the entry point: %w", err)
	}
	defer file.Close()
	stat, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open the entry point: %w", err)
	case !stat.Mode().IsRegular():
		return nil, refusal("the entry point %s is no file", path)
	case stat.Mode()&0o111 != 0:
		return []string{path}, nil
	}
	first, err := bufio.NewReaderSize(io.LimitReader(file, 256), 256).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the entry point: %w", err)
	}
	line, ok := strings.CutPrefix(first, "#!")
	line = strings.TrimSpace(line)
	if !ok || line == "" {
		return nil, refusal("the entry point %s is not executable, and names no interpreter in its first line", path)
	}
	interpreter, argument, _ := strings.Cut(line, " ")
	argv := []string{interpreter}
	if argument = strings.TrimSpace(argument); argument != "" {
		argv = append(argv, argument) // one argument, as the kernel does
	}
	return append(argv, path), nil
}

// programResult is the result of process: the document is what the file named
// by ATTUNE_OUTPUT holds, else what stdout ends with; stdout is the text before
// it.
func programResult(r *run, o outcome) ([]byte, error) {
	w := r.written(o)
	stdout, truncated := r.streams[0].head, r.streams[0].truncated()
	content, err := readAtMost(r.command.output, resultBytes)
	switch {
	case err != nil:
		return nil, err
	case len(content) > 0:
		if w.Result = document(content); w.Result == nil {
			w.Result, _ = encode(text(content)) // free text stays text
		}
	case truncated:
		_, w.Result = lastDocument(r.streams[0].end())
	default:
		stdout, w.Result = lastDocument(stdout)
	}
	w.Stdout, _ = encode(text(stdout))
	w.Stderr, _ = encode(text(r.streams[1].head))
	return sized(w)
}

// readAtMost reads a file, which is an error if it is larger. A file that the
// action has removed holds nothing.
func readAtMost(path string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not hold us
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	defer file.Close()
	if stat, err := file.Stat(); err != nil || !stat.Mode().IsRegular() {
		return nil, errors.New("the result is not in a file any more")
	}
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("the result has more than %d bytes", limit)
	}
	return content, nil
}
