// Command sandbox runs the whole world that Turnout needs on one machine: a real
// Kubernetes API, pods as real processes, and stand-ins for GitHub, Cloud Build,
// Cloud Storage and a load balancer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/turnout-dev/turnout/sandbox/bench/application"
)

func main() {
	if os.Getenv(application.Variable) != "" { // a pod of the measurements
		if err := application.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// client-go's own complaints, about watches that ended, are nobody's news here.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		stop()
		if exit, ok := errors.AsType[exitError](err); ok { // the command has said why
			os.Exit(exit.code) //nolint:gocritic // exitAfterDefer: stop was called
		}
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// run carries out one command line.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	root := &cobra.Command{
		Use: "sandbox", Short: "The whole world that Turnout needs, on one machine",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.AddCommand(upCommand(), execCommand(), demoCommand(), benchCommand(), cutoverCommand(), chaosCommand(), scaleCommand(),
		webhookCommand())
	return root.ExecuteContext(ctx)
}
