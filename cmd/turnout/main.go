// Command turnout ships web applications to Google Kubernetes Engine blue-green.
//
// run.go lists its commands. `turnout serve` (serve.go, config.go) wires the bot and the
// deployer into one process, after serve_setup.go got it a GitHub App: record.go and
// delivery.go implement the bot's interfaces with package record, and the deployer's with
// package githubapp. The commands for people (commands.go, request.go, follow.go, status.go,
// lock.go) read and write the same record from a terminal, and action.go does so in a GitHub
// workflow. deploy_dryrun.go shows what a deploy would do, by package rehearsal.
// install.go and uninstall.go apply and remove config/; doctor.go says what is missing around
// it. Whatever is printed goes through border.go.
//
// # Decisions
//
// A command is decided by the same function as a comment on GitHub, package command's. So
// it means the same wherever it is typed; only the texts differ (terminal_*.go).
//
// A command follows a release by watching the record and never moves it. It may end at any
// time; the release continues.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	runtime.MemProfileRate = 0 // nobody can read the profile, whose table takes 1.5 MB
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
