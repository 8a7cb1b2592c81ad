package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/deployer/track"
)

// byHand is what the commands that write a release share.
type byHand struct {
	clusterFlags
	outputFlag
	by           string
	cause        v1alpha1.Cause // its kind and actor are filled in
	wait, noWait bool
	timeout      time.Duration
}

func (b *byHand) bind(f *pflag.FlagSet) {
	b.clusterFlags.bind(f)
	b.outputFlag.bind(f, "an object on a line for every change of the release")
	f.StringVar(&b.by, "by", "", "for whom you ask; the record shows it as your claim, beside your user name in the cluster")
	f.BoolVar(&b.wait, "wait", true, "follow the release until it ends or needs a person")
	f.BoolVar(&b.noWait, "no-wait", false, "return as soon as the request is recorded; the same as --wait=false")
	f.DurationVar(&b.timeout, "timeout", 0, "stop following after this; the release goes on. 0 means no limit")
}

// decider decides a request; its error is wrong usage.
type decider func(args []string) (func(*request) plan, error)

// command makes a command that decides something about the application in its first
// argument, and follows the release.
func (b *byHand) command(use, short, long string, args arguments, decide decider) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + exitTable, Args: args.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := b.check(); err != nil {
				return err
			}
			decided, err := decide(args)
			if err != nil {
				return err
			}
			return b.run(cmd.Context(), args[0], decided, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	b.bind(cmd.Flags())
	cmd.ValidArgsFunction = b.complete(args.most > 1)
	return cmd
}

func (b *byHand) run(ctx context.Context, app string, decide func(*request) plan, out, warn io.Writer) error {
	tell := func(text string) { _, _ = fmt.Fprintln(warn, "turnout: "+text) }
	p, err := b.perform(ctx, app, decide, voice{
		printer: func(app *v1alpha1.BlueGreen, d *command.Decision) printer { return b.newPrinter(out, app, d) }, note: tell, warn: tell,
	})
	if b.json() && p.decision != nil && p.release == nil {
		return errors.Join(err, printDecision(out, p.app, p.decision))
	}
	return err
}

// voice is where a command prints: a terminal, or a workflow's log.
type voice struct {
	printer    func(*v1alpha1.BlueGreen, *command.Decision) printer
	note, warn func(text string)
}

// performed is the result of a request.
type performed struct {
	app *v1alpha1.BlueGreen
	// decision about it; nil if there was none.
	decision *command.Decision
	// release of the request, as last seen; nil if there is none.
	release *v1alpha1.Release
}

// perform decides a request, records it, and follows its release.
func (b *byHand) perform(ctx context.Context, app string, decide func(*request) plan, v voice) (performed, error) {
	c, err := b.connect()
	if err != nil {
		return performed{}, err
	}
	b.cause.Kind = v1alpha1.CauseCLI
	b.cause.Actor, b.cause.Claims = c.actor(ctx), cut(b.by, maxClaims)
	req, err := c.request(ctx, app, b.cause)
	if err != nil {
		return performed{}, err
	}
	p := decide(req)
	if err := req.obstacle(p, v.warn); err != nil {
		return performed{app: req.app}, err
	}
	done := performed{app: req.app, decision: &p.Decision}
	rel, err := c.carryOut(ctx, p, terminal(req.app).Say(p.Fact), v.note)
	if err != nil || rel == nil {
		return done, err
	}
	if !b.wait || b.noWait {
		rel = approved(req.app, rel)
	}
	done.release, err = b.watch(ctx, c, rel, v.printer(req.app, done.decision), v.warn)
	if p.Cancel != nil && done.release.Status.Phase == v1alpha1.ReleaseCancelled {
		err = nil // as asked
	}
	return done, err
}

// approved shows an approved release as approved: its record may be older, from when it
// waited for that.
func approved(app *v1alpha1.BlueGreen, rel *v1alpha1.Release) *v1alpha1.Release {
	if !isApproved(rel) {
		return rel
	}
	rel = rel.DeepCopy()
	rel.Status.Waiting = nil
	if lock := app.Status.Lock; lock != nil {
		rel.Status.Waiting = track.WaitsForUnlock(lock)
	}
	message := stands(rel) // programs read it with the facts
	rel.Status.Message = message
	if n := len(rel.Status.Timeline); n > 0 {
		rel.Status.Timeline[n-1].Message = message
	}
	return rel
}

// watch follows a release, or only shows it if nobody wants to wait.
func (b *byHand) watch(ctx context.Context, c *cluster, rel *v1alpha1.Release, printer printer, warn func(string)) (*v1alpha1.Release,
	error,
) {
	if !b.wait || b.noWait {
		printer.show(rel, time.Now())
		printer.done(rel)
		return rel, nil
	}
	ctx, cancel := withTimeout(ctx, b.timeout)
	defer cancel()
	f := &follower{cluster: c, printer: printer, warn: warn, patience: servePatience, interval: followInterval}
	return f.follow(ctx, rel)
}

// obstacle says which condition blocks a request. Without the grant a deploy would wait for
// ever, so that is an error.
func (r *request) obstacle(p plan, warn func(string)) error {
	forward := p.Approve != nil || p.Promote != nil || p.Submit != nil && p.Submit.Spec.Kind == v1alpha1.Deploy
	condition := blocked(r.app)
	switch {
	case p.Refused:
		return nil
	case condition != nil && condition.Reason == v1alpha1.ReasonNotGranted && forward:
		return errors.New(r.blockedBy(condition, "%s (%s), so nothing was asked for: %s"))
	case condition != nil:
		warn(r.blockedBy(condition, "%s is blocked (%s): %s"))
	}
	return nil
}

// blockedBy names the blocking condition, with each of its commands on its own line.
func (r *request) blockedBy(c *metav1.Condition, format string) string {
	text := fmt.Sprintf(format, r.app.Name, c.Reason, oneLine(c.Message))
	return strings.Join(append([]string{text}, commandLines(r.app.Status.CommandsOf(c.Type))...), "\n")
}

func deployCommand() *cobra.Command {
	var b byHand
	var commit string
	var retry, dry bool
	cmd := b.command("deploy APP --commit SHA", "Release a commit, and follow it",
		"Release a commit: build it, stage it on the colour that no user sees, and move users to\n"+
			"it once it passed its gate. A release of the commit that is under way is joined.",
		ofApplication("turnout deploy my-python-app --commit SHA", 0),
		func([]string) (func(*request) plan, error) {
			return func(r *request) plan { return r.deploy(commit, retry) }, checkCommit("commit", commit)
		})
	really := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !dry {
			return really(cmd, args)
		}
		d := dryDeploy{app: args[0], commit: commit, retry: retry, output: b.outputFlag}
		return d.show(cmd, &b.clusterFlags)
	}
	cmd.Flags().StringVar(&commit, "commit", "", "the commit's full hash, "+v1alpha1.CommitDigits+" (required)")
	cmd.Flags().BoolVar(&retry, "retry", false, "release it again, if its last release has ended")
	cmd.Flags().BoolVar(&dry, "dry-run", false,
		"change nothing: show what blocks the release, what would be built, and what would be staged and patched, as a diff")
	return cmd
}

// optionalRelease is the release after the application's name; empty if there is none.
func optionalRelease(args []string) string {
	if len(args) < 2 {
		return ""
	}
	return args[1]
}

func promoteCommand() *cobra.Command {
	var b byHand
	var commit string
	var weight int32
	cmd := b.command("promote APP [RELEASE | --commit SHA]", "Approve a release that waits, and follow it",
		"Approve the switch of a release: the one named, that of a commit, or else the one that\n"+
			"waits. A commit that was never released is released, approved. A canary under way\n"+
			"takes its next step, or goes on to --weight.",
		ofApplication("turnout promote my-python-app", 1),
		func(args []string) (func(*request) plan, error) {
			release := optionalRelease(args)
			if release != "" && commit != "" {
				return nil, errors.New("name a release or a --commit, not both")
			}
			if commit != "" {
				if err := checkCommit("commit", commit); err != nil {
					return nil, err
				}
			}
			if weight < 0 || weight > v1alpha1.Everybody {
				return nil, fmt.Errorf("--weight %d: give a share of the users between 1 and %d", weight, v1alpha1.Everybody)
			}
			return func(r *request) plan { return r.promote(release, commit, weight) }, nil
		})
	cmd.Flags().StringVar(&commit, "commit", "", "the commit to promote: its full hash")
	cmd.Flags().Int32Var(&weight, "weight", 0,
		"the share of the users to which a canary goes on at once: 100 for all of them; default: the next step's")
	return cmd
}

func rollbackCommand() *cobra.Command {
	var b byHand
	var from string
	cmd := b.command("rollback APP [--from SHA]", "Go back to the version before the last switch, and follow it",
		"Move users back to the version before the last switch. A deploy that has not begun to\n"+
			"switch is cancelled instead, if --from names it. This does not use GitHub.",
		ofApplication("turnout rollback my-python-app", 0),
		func([]string) (func(*request) plan, error) {
			if from != "" && !v1alpha1.IsCommitStart(from) {
				return nil, fmt.Errorf("--from %q: give the hash of the commit to leave, at least 7 hexadecimal digits of it", from)
			}
			return func(r *request) plan { return r.rollback(from) }, nil
		})
	cmd.Flags().StringVar(&from, "from", "", "the version to leave, by its commit; default: the one that is live")
	return cmd
}

func cancelCommand() *cobra.Command {
	var b byHand
	var reason string
	cmd := b.command("cancel APP [RELEASE]", "Stop a release before its switch",
		"Stop the release of an application that is under way, or the one named, before it moves\n"+
			"users. Staged pods are removed. After the switch, use rollback.",
		ofApplication("turnout cancel my-python-app", 1),
		func(args []string) (func(*request) plan, error) {
			release := optionalRelease(args)
			return func(r *request) plan { return r.cancel(release, reason) }, nil
		})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}
