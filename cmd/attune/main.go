package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/attune-automation/attune/worker/keeper"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == keeperWord {
		os.Exit(keeper.Main(os.Args[2:]))
	}
	ctx, stop := signals(context.Background())
	code := execute(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, talk: os.Stderr, env: os.Getenv, environ: os.Environ})
	stop()
	os.Exit(code)
}

// keeperWord is the hidden sub-command of processes that hold the processes of
// actions. It comes before everything else: they are many and must stay small.
const keeperWord = "keeper"

// streams is what a command sees of the world. Tests bring their own.
type streams struct {
	in io.Reader
	// out takes data, talk everything said to a person.
	out, talk io.Writer
	env       func(string) string
	// environ is all of the environment, NAME=TEXT; nil is not known.
	environ func() []string
}

// signals is a context that the first SIGINT or SIGTERM cancels, with
// errInterrupted as its cause; a second one ends the process at once. stop
// ends the watching.
func signals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	heard := make(chan os.Signal, 2)
	signal.Notify(heard, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for first := true; ; first = false {
			select {
			case <-heard:
				if !first {
					os.Exit(exitInterrupted)
				}
				cancel(errInterrupted)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(heard)
		close(done)
		<-ended
		cancel(nil)
	}
}
