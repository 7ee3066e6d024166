package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// screen is a terminal that a table is drawn on, again and again, beside what
// was on it before.
type screen struct {
	*os.File
	began bool
}

// screenOf is the terminal behind a writer; nil where there is none, or one that
// knows no more than lines.
func screenOf(w io.Writer, env func(string) string) *screen {
	f, ok := w.(*os.File)
	if !ok || env("TERM") == "dumb" {
		return nil
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return &screen{File: f}
}

// size is asked each time: windows change.
func (s *screen) size() (width, height int) {
	size, err := unix.IoctlGetWinsize(int(s.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}

const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the other screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// draw replaces what is shown, in one write, so that nothing flickers.
func (s *screen) draw(lines []string) error {
	var b strings.Builder
	if !s.began {
		s.began = true
		b.WriteString(enterScreen)
	}
	b.WriteString(home)
	for i, text := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(text + clearLine)
	}
	b.WriteString(clearBelow)
	_, err := io.WriteString(s.File, b.String())
	return err
}

// leave gives the terminal back and leaves the last lines on it.
func (s *screen) leave(lines []string) {
	if s.began {
		s.began = false
		fmt.Fprint(s.File, leaveScreen+strings.Join(lines, "\n")+"\n")
	}
}
