// Command turnout ships web applications to Google Kubernetes Engine
// blue-green. See the README.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		if text := err.Error(); text != "" {
			_, _ = fmt.Fprintln(&border{out: os.Stderr}, "turnout:", text)
		}
		os.Exit(exitCode(err))
	}
}
