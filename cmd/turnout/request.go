package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/deployer/record"
)

// request is something asked of an application by hand or from a workflow.
type request struct {
	app      *v1alpha1.BlueGreen
	releases []v1alpha1.Release // newest first
	cause    v1alpha1.Cause
	now      time.Time
}

// plan is what becomes of a request: bot's decision, in which a refusal and an
// answer speak of the command line, and the release that is meant.
type plan struct {
	bot.Decision
	// release that the request is about; empty if there is none.
	release string
}

// request reads what a request is judged by.
func (c *cluster) request(ctx context.Context, app string, cause v1alpha1.Cause) (*request, error) {
	bg, err := c.application(ctx, app)
	if err != nil {
		return nil, err
	}
	releases, err := c.Releases(ctx, types.NamespacedName{Namespace: bg.Namespace, Name: bg.Name})
	if err != nil {
		return nil, err
	}
	return &request{app: bg, releases: releases, cause: cause, now: time.Now()}, nil
}

// judge lets the bot's own table decide, so that a command means the same
// wherever it is typed. Nothing is asked of GitHub for it: where the commit
// stands in history is for the deployer to find out.
func (r *request) judge(command bot.Command, commit string) plan {
	order := bot.OrderUnknown
	if live := r.app.Status.Live; live != nil && live.Commit != "" && live.Commit == commit {
		order = bot.OrderSame
	}
	return r.plan(bot.Decide(bot.Situation{
		Command:     command,
		PullRequest: bot.PullRequest{Base: r.app.Spec.Branch, Merged: true, MergeCommit: commit},
		By:          r.cause.Actor, Cause: r.cause, Asked: r.now, Now: r.now,
		App: *r.app, Releases: r.releases, AgainstLive: order,
	}))
}

// plan puts a decision into the words of the command line.
func (r *request) plan(d bot.Decision) plan {
	if d.Refuse != nil {
		d.Refuse = &bot.Refuse{Reason: r.words(d.Refuse.Reason), NextMove: r.words(d.Refuse.NextMove)}
	}
	d.Answer, d.Note = r.words(d.Answer), r.words(d.Note)
	p := plan{Decision: d}
	switch {
	case d.Submit != nil:
		p.release = d.Submit.Name
	case d.Approve != nil:
		p.release = d.Approve.Release
	case d.Cancel != nil:
		p.release = d.Cancel.Release
	}
	return p
}

// slash is a command of a pull request as the bot shows it.
var slash = regexp.MustCompile("`/([a-z]+)( [0-9a-f]+)?[^`]*`")

// words turns a sentence written for a pull request into one for a terminal.
func (r *request) words(s string) string {
	s = strings.ReplaceAll(html.UnescapeString(s), "\u200b", "")
	return slash.ReplaceAllStringFunc(s, func(command string) string {
		m := slash.FindStringSubmatch(command)
		commit := strings.TrimSpace(m[2])
		switch m[1] {
		case "retry":
			if commit == "" {
				commit = "SHA"
			}
			return r.command("deploy", "--commit", commit, "--retry")
		case "promote":
			return r.typed("promote", "commit", commit)
		case "rollback":
			return r.typed("rollback", "from", commit)
		case "cancel", "status":
			return r.typed(m[1], "", "")
		}
		return command + " on a pull request"
	})
}

func (r *request) typed(verb, flag, commit string) string {
	if commit != "" {
		return r.command(verb, "--"+flag, commit)
	}
	return r.command(verb)
}

// command is a command about this application that can be typed anywhere.
func (r *request) command(verb string, more ...string) string {
	words := append([]string{"turnout", verb, r.app.Name}, more...)
	return "`" + strings.Join(append(words, "--namespace", r.app.Namespace), " ") + "`"
}

func refused(reason, nextMove string) plan {
	return plan{Decision: bot.Decision{Refuse: &bot.Refuse{Reason: reason, NextMove: nextMove}}}
}

func joined(release, answer string) plan {
	return plan{Decision: bot.Decision{Answer: answer}, release: release}
}

// unfinished returns the releases of a kind that have not ended, newest first.
func (r *request) unfinished(kind v1alpha1.ReleaseKind) []*v1alpha1.Release {
	var all []*v1alpha1.Release
	for i := range r.releases {
		if rel := &r.releases[i]; rel.Spec.Kind == kind && !rel.Status.Phase.Finished() {
			all = append(all, rel)
		}
	}
	return all
}

// deployOf returns the newest Deploy of a commit, or nil.
func (r *request) deployOf(commit string) *v1alpha1.Release {
	var newest *v1alpha1.Release
	for i := range r.releases {
		d := r.releases[i].Spec.Deploy
		if d != nil && d.Commit == commit && (newest == nil || d.Attempt > newest.Spec.Deploy.Attempt) {
			newest = &r.releases[i]
		}
	}
	return newest
}

// fullCommit matches a commit's full hash.
var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)

func checkCommit(flag, commit string) error {
	if !fullCommit.MatchString(commit) {
		return fmt.Errorf("--%s %q: give the full hash of the commit, 40 hexadecimal digits", flag, commit)
	}
	return nil
}

// deploy releases a commit: a first time, or once more.
func (r *request) deploy(commit string, retry bool) plan {
	last := r.deployOf(commit)
	version := v1alpha1.ShortCommit(commit)
	switch {
	case last != nil && !last.Status.Phase.Finished():
		return joined(last.Name, fmt.Sprintf("%s of %s is under way already, asked for by %s.", last.Name, version, byWhom(last)))
	case r.isLive(commit) && !retry:
		return joined(r.kept(r.app.Status.Live.Release), version+" is live already.")
	case last != nil && !retry:
		return refused(
			fmt.Sprintf("%s was released before: %s ended as %s. Nothing was started.", version, last.Name, last.Status.Phase),
			"To release it once more: "+r.command("deploy", "--commit", commit, "--retry")+".")
	}
	return r.judge(bot.Command{Verb: bot.Retry, Commit: commit}, commit)
}

// kept is the name of a release if its record is still there; else empty.
func (r *request) kept(name string) string {
	if slices.ContainsFunc(r.releases, func(rel v1alpha1.Release) bool { return rel.Name == name }) {
		return name
	}
	return ""
}

func (r *request) isLive(commit string) bool {
	return r.app.Status.Live != nil && r.app.Status.Live.Commit == commit
}

func byWhom(rel *v1alpha1.Release) string {
	if actor := rel.AskedBy(); actor != "" {
		return actor
	}
	return "nobody that is recorded"
}

// promote approves a release: the one named, that of a commit, or else the one
// that waits. A commit without a release gets one, approved.
func (r *request) promote(release, commit string) plan {
	rel, problem := r.promotable(release, commit)
	if problem != nil {
		return *problem
	}
	if rel != nil {
		commit = rel.Spec.Deploy.Commit
	}
	p := r.judge(bot.Command{Verb: bot.Promote, Commit: commit}, commit)
	if p.release == "" {
		if under := r.deployOf(commit); under != nil {
			p.release = under.Name
		}
	}
	if rel != nil && release != "" && p.release != rel.Name {
		return refused(fmt.Sprintf("%s is not the newest release of %s.", rel.Name, v1alpha1.ShortCommit(commit)),
			fmt.Sprintf("Promote %s, or name the commit.", p.release))
	}
	return p
}

// promotable finds the release that a promote means; nil if it means a commit
// that has none.
func (r *request) promotable(release, commit string) (*v1alpha1.Release, *plan) {
	switch {
	case commit != "":
		return r.deployOf(commit), nil
	case release != "":
		return r.named(release)
	}
	all := r.unfinished(v1alpha1.Deploy)
	waiting := slices.DeleteFunc(slices.Clone(all), func(rel *v1alpha1.Release) bool {
		return rel.Status.Phase != v1alpha1.ReleaseWaiting
	})
	switch {
	case len(waiting) == 1:
		return waiting[0], nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		p := refused(fmt.Sprintf("No release of %s waits.", r.app.Name), "Name the commit to release: --commit SHA.")
		return nil, &p
	}
	p := refused(fmt.Sprintf("%s has several releases under way: %s.", r.app.Name, names(all)), "Name one of them.")
	return nil, &p
}

func (r *request) named(name string) (*v1alpha1.Release, *plan) {
	for i := range r.releases {
		if rel := &r.releases[i]; rel.Name == name {
			if rel.Spec.Deploy == nil {
				p := refused(name+" is a rollback: it waits for nobody's approval.", "Watch it: "+r.command("releases")+".")
				return nil, &p
			}
			return rel, nil
		}
	}
	p := refused(fmt.Sprintf("%s has no release %s.", r.app.Name, name), "List them: "+r.command("releases")+".")
	return nil, &p
}

func names(all []*v1alpha1.Release) string {
	list := make([]string, len(all))
	for i, rel := range all {
		list[i] = rel.Name
	}
	return strings.Join(list, ", ")
}

// rollback leaves a version: the one whose commit begins with from, or else the
// one that is live.
func (r *request) rollback(from string) plan {
	if from == "" {
		if under := r.unfinished(v1alpha1.Rollback); len(under) > 0 {
			return joined(under[0].Name, under[0].Name+" is under way already.")
		}
		live := r.app.Status.Live
		switch {
		case live == nil:
			return refused(fmt.Sprintf("%s has no live version at present.", r.app.Name), r.command("status")+" says why.")
		case live.Commit == "":
			return refused(fmt.Sprintf("%s is live on %s, which Turnout did not release: there is nothing to return to.", live.Short(), live.Color),
				"Merge a commit that reverts what you want to undo.")
		}
		from = live.Commit
	}
	p := r.judge(bot.Command{Verb: bot.Rollback, Commit: from}, "")
	if p.release == "" && p.Refuse == nil {
		for _, rel := range r.unfinished(v1alpha1.Rollback) {
			if strings.HasPrefix(rel.Spec.Rollback.From.Commit, from) {
				p.release = rel.Name
			}
		}
	}
	return p
}

// cancel stops a release before its switch: the one named, or else the only one
// under way.
func (r *request) cancel(release, reason string) plan {
	rel, problem := r.cancellable(release)
	if problem != nil {
		return *problem
	}
	if rel.Spec.Kind == v1alpha1.Rollback {
		return refused(rel.Name+" is a rollback, which is not cancelled.", "Release another version when it has ended.")
	}
	if newest := r.deployOf(rel.Spec.Deploy.Commit); newest.Name != rel.Name {
		return refused(fmt.Sprintf("%s has ended already: %s.", rel.Name, rel.Status.Phase), "There is nothing to cancel.")
	}
	p := r.judge(bot.Command{Verb: bot.Cancel}, rel.Spec.Deploy.Commit)
	if p.Cancel != nil && reason != "" {
		p.Cancel.Cancel.Reason = reason
	}
	if p.Refuse == nil {
		p.release = rel.Name
	}
	return p
}

func (r *request) cancellable(release string) (*v1alpha1.Release, *plan) {
	if release != "" {
		for i := range r.releases {
			if r.releases[i].Name == release {
				return &r.releases[i], nil
			}
		}
		p := refused(fmt.Sprintf("%s has no release %s.", r.app.Name, release), "List them: "+r.command("releases")+".")
		return nil, &p
	}
	all := append(r.unfinished(v1alpha1.Deploy), r.unfinished(v1alpha1.Rollback)...)
	switch len(all) {
	case 0:
		p := refused(fmt.Sprintf("No release of %s is under way.", r.app.Name), "There is nothing to cancel.")
		return nil, &p
	case 1:
		return all[0], nil
	}
	p := refused(fmt.Sprintf("%s has several releases under way: %s.", r.app.Name, names(all)), "Name one of them.")
	return nil, &p
}

// carryOut writes what was decided and returns the release that is meant; nil if
// none is. A refusal is an error.
func (c *cluster) carryOut(ctx context.Context, p plan, say func(text string)) (*v1alpha1.Release, error) {
	key := types.NamespacedName{Namespace: c.namespace, Name: p.release}
	var err error
	switch {
	case p.Refuse != nil:
		return nil, errors.New(strings.TrimSpace(p.Refuse.Reason + " " + p.Refuse.NextMove))
	case p.Submit != nil:
		var stored *v1alpha1.Release
		if stored, _, err = bot.Submit(ctx, botRecord{c.Record}, p.Submit); stored != nil && err == nil {
			key.Name = stored.Name // it may have had to be another one
		}
	case p.Approve != nil:
		err = c.Approve(ctx, key, p.Approve.Approval)
	case p.Cancel != nil:
		err = c.Cancel(ctx, key, p.Cancel.Cancel)
	}
	if errors.Is(err, record.ErrSet) { // somebody was quicker; what they asked for is the same
		err = nil
	}
	if err != nil {
		return nil, err
	}
	for _, text := range []string{p.Answer, p.Note} {
		if text != "" {
			say(text)
		}
	}
	if p.release == "" {
		return nil, nil
	}
	return c.Release(ctx, key)
}
