package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/record"
)

// locker sets or removes the lock of an application.
type locker struct {
	clusterFlags
	outputFlag
	by, reason string
}

func lockCommand() *cobra.Command {
	var l locker
	cmd := l.command(command.Lock, "lock APP [--reason TEXT]", "Keep releases from moving users until unlock",
		"Keep every release of an application from moving users, until somebody types unlock, here or on GitHub.\n"+
			"Releases are built and checked, and then wait. A rollback still works.")
	cmd.Flags().StringVar(&l.reason, "reason", "", "why, for whoever meets the lock")
	return cmd
}

func unlockCommand() *cobra.Command {
	var l locker
	return l.command(command.Unlock, "unlock APP", "Let releases move users again, whoever locked",
		"Remove the lock of an application, whoever set it. Releases that wait for it go on.")
}

func (l *locker) command(verb command.Verb, use, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args:              ofApplication("turnout "+string(verb)+" my-python-app", 0).check,
		ValidArgsFunction: l.complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.check(); err != nil {
				return err
			}
			return l.run(cmd.Context(), args[0], verb, cmd.OutOrStdout())
		},
	}
	l.clusterFlags.bind(cmd.Flags())
	l.outputFlag.bind(cmd.Flags(), "the decision, as one object on a line")
	cmd.Flags().StringVar(&l.by, "by", "", "for whom you ask; the record shows it as your claim, beside your user name in the cluster")
	return cmd
}

func (l *locker) run(ctx context.Context, app string, verb command.Verb, out io.Writer) error {
	c, err := l.connect()
	if err != nil {
		return err
	}
	actor := c.actor(ctx)
	req, err := c.request(ctx, app, v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: actor, Claims: cut(l.by, maxClaims)})
	if err != nil {
		return err
	}
	decided, err := c.setLock(ctx, req, req.judge(command.Command{Verb: verb, Reason: l.reason}, "").Decision)
	if apierrors.IsForbidden(err) {
		return mayNotLock(req.app, actor, err)
	}
	if err != nil {
		return err
	}
	if l.json() {
		err = printDecision(out, req.app, &decided)
	}
	text := terminal(req.app).Say(decided.Fact).String()
	switch {
	case decided.Refused:
		return errors.Join(err, errors.New(text))
	case l.json() || err != nil:
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// setLock carries out a decision about a lock. Somebody may have been quicker: then the
// answer is about their lock.
func (c *cluster) setLock(ctx context.Context, req *request, d command.Decision) (command.Decision, error) {
	key := client.ObjectKeyFromObject(req.app)
	switch {
	case d.Lock != nil:
		err := record.LockByHand(ctx, c.record, key, *d.Lock)
		if !errors.Is(err, record.ErrSet) {
			return d, err
		}
	case d.Unlock != nil:
		was, err := record.UnlockByHand(ctx, c.record, key, req.cause.Actor)
		if err != nil || was == nil { // with none, nothing is left to do
			return d, err
		}
		return command.Unlocked(req.situation(command.Command{Verb: command.Unlock}, ""), was), nil
	default:
		return d, nil
	}
	again, err := c.request(ctx, req.app.Name, req.cause)
	if err != nil {
		return d, err
	}
	again.now = time.Now()
	return again.judge(command.Command{Verb: command.Lock, Reason: d.Lock.Reason}, "").Decision, nil
}

// mayNotLock says what somebody lacks who may release but not lock.
func mayNotLock(app *v1alpha1.BlueGreen, actor string, err error) error {
	bind := v1alpha1.Shell("kubectl", "--namespace", app.Namespace, "create", "rolebinding", "locks", "--clusterrole=turnout-lock",
		"--user="+actor)
	return fmt.Errorf("%s may not lock or unlock bluegreen %s/%s: that takes the ClusterRole turnout-lock, which whoever grants roles "+
		"in the namespace binds: %s: %w", actor, app.Namespace, app.Name, bind, err)
}
