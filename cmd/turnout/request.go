package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/record"
)

// request is a request about an application, by hand or from a workflow.
type request struct {
	app      *v1alpha1.BlueGreen
	releases []v1alpha1.Release // newest first
	cause    v1alpha1.Cause
	now      time.Time
}

// plan is the decision about a request, by package command or by this file, and its
// release.
type plan struct {
	command.Decision
	// release of the request; empty if there is none.
	release string
}

// request reads what the decision depends on.
func (c *cluster) request(ctx context.Context, app string, cause v1alpha1.Cause) (*request, error) {
	bg, releases, err := c.releasesOf(ctx, app)
	if err != nil {
		return nil, err
	}
	return &request{app: bg, releases: releases, cause: cause, now: time.Now()}, nil
}

// judge decides by package command, so that a command means the same wherever it is typed.
// It does not ask GitHub: the deployer finds out how the commit relates to others.
func (r *request) judge(typed command.Command, commit string) plan {
	return r.plan(command.Decide(r.situation(typed, commit)))
}

// situation is what a decision depends on.
func (r *request) situation(typed command.Command, commit string) command.Situation {
	order := command.OrderUnknown
	if live := r.app.Status.Live; live != nil && live.Commit != "" && live.Commit == commit {
		order = command.OrderSame
	}
	return command.Situation{
		Command:     typed,
		PullRequest: command.PullRequest{Base: r.app.Spec.Branch, Merged: true, MergeCommit: commit},
		By:          r.cause.Actor, Cause: r.cause, Asked: r.now, Now: r.now,
		App: *r.app, Releases: r.releases, AgainstLive: order,
	}
}

// plan finds the release of a decision.
func (r *request) plan(d command.Decision) plan {
	p := plan{Decision: d}
	switch {
	case d.Submit != nil:
		p.release = d.Submit.Name
	case d.Approve != nil:
		p.release = d.Approve.Release
	case d.Promote != nil:
		p.release = d.Promote.Release
	case d.Cancel != nil:
		p.release = d.Cancel.Release
	}
	return p
}

func refused(code command.Code, args command.Args) plan {
	return plan{Decision: command.Decision{Fact: command.Fact{Code: code, Args: args}, Refused: true}}
}

// joined answers with an existing release; empty if its record is gone.
func joined(release string, code command.Code, args command.Args) plan {
	return plan{Decision: command.Decision{Fact: command.Fact{Code: code, Args: args}}, release: release}
}

// unfinished returns a kind's releases that have not ended, newest first.
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

func checkCommit(flag, commit string) error {
	if !v1alpha1.IsCommit(commit) {
		return fmt.Errorf("--%s %q: give the full hash of the commit, %s", flag, commit, v1alpha1.CommitDigits)
	}
	return nil
}

// deploy releases a commit, for the first time or again.
func (r *request) deploy(commit string, retry bool) plan {
	last := r.deployOf(commit)
	about := command.Args{Application: r.app.Name, Version: &v1alpha1.Version{Commit: commit}}
	switch {
	case last != nil && !last.Status.Phase.Finished():
		about.Release, about.By = last.Name, last.AskedBy()
		return joined(last.Name, codeUnderWay, about)
	case r.isLive(commit) && !retry:
		return joined(r.kept(r.app.Status.Live.Release), codeIsLive, about)
	case last != nil && !retry:
		about.Release, about.Phase = last.Name, last.Status.Phase
		about.Next = []command.Command{{Verb: command.Retry, Commit: commit}}
		return refused(codeReleasedBefore, about)
	}
	return r.judge(command.Command{Verb: command.Retry, Commit: commit}, commit)
}

// kept is a release's name if its record still exists; else empty.
func (r *request) kept(name string) string {
	if slices.ContainsFunc(r.releases, func(rel v1alpha1.Release) bool { return rel.Name == name }) {
		return name
	}
	return ""
}

func (r *request) isLive(commit string) bool {
	return r.app.Status.Live != nil && r.app.Status.Live.Commit == commit
}

// promote approves a release: the named one, that of a commit, or the one that waits. A
// commit without a release gets an approved one. A canary goes on to the next step, or to a
// weight.
func (r *request) promote(release, commit string, weight int32) plan {
	rel, problem := r.promotable(release, commit)
	if problem != nil {
		return *problem
	}
	if rel != nil {
		commit = rel.Spec.Deploy.Commit
	}
	p := r.judge(command.Command{Verb: command.Promote, Commit: commit, Weight: weight}, commit)
	if p.release == "" {
		if under := r.deployOf(commit); under != nil {
			p.release = under.Name
		}
	}
	if rel != nil && release != "" && p.release != rel.Name {
		return refused(codeNotNewest, command.Args{
			Application: r.app.Name, Release: rel.Name, Releases: []string{p.release}, Version: &v1alpha1.Version{Commit: commit},
		})
	}
	return p
}

// promotable finds the release that a promote means; nil if the commit has none.
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
		p := refused(codeNoneWaits, command.Args{Application: r.app.Name})
		return nil, &p
	}
	p := refused(codeSeveralUnderWay, command.Args{Application: r.app.Name, Releases: names(all)})
	return nil, &p
}

func (r *request) named(name string) (*v1alpha1.Release, *plan) {
	for i := range r.releases {
		if rel := &r.releases[i]; rel.Name == name {
			if rel.Spec.Deploy == nil {
				p := refused(codeNothingToApprove, command.Args{Application: r.app.Name, Release: name})
				return nil, &p
			}
			return rel, nil
		}
	}
	p := refused(codeNoSuchRelease, command.Args{Application: r.app.Name, Release: name})
	return nil, &p
}

func names(all []*v1alpha1.Release) []string {
	list := make([]string, len(all))
	for i, rel := range all {
		list[i] = rel.Name
	}
	return list
}

// rollback leaves a version: the one whose commit begins with from, or the live one.
func (r *request) rollback(from string) plan {
	if from == "" {
		if under := r.unfinished(v1alpha1.Rollback); len(under) > 0 {
			return joined(under[0].Name, codeRollbackUnderWay, command.Args{Application: r.app.Name, Release: under[0].Name})
		}
		live := r.app.Status.Live
		switch mixed := r.app.Status.Mixed; {
		case mixed != nil && mixed.Back != nil: // users are on both colours
			live = &mixed.Back.From
		case mixed != nil:
			return refused(command.CodeMixedNoWay, command.Args{Application: r.app.Name})
		case live == nil:
			return refused(codeNoVersionLive, command.Args{Application: r.app.Name, Next: []command.Command{{Verb: command.Status}}})
		case live.Commit == "":
			return refused(codeLiveIsForeign, command.Args{Application: r.app.Name, Live: live})
		}
		from = live.Commit
	}
	p := r.judge(command.Command{Verb: command.Rollback, Commit: from}, "")
	if p.release == "" && !p.Refused {
		for _, rel := range r.unfinished(v1alpha1.Rollback) {
			if strings.HasPrefix(rel.Spec.Rollback.From.Commit, from) {
				p.release = rel.Name
			}
		}
	}
	return p
}

// cancel stops a release before its switch: the named one, or the only one under way.
func (r *request) cancel(release, reason string) plan {
	rel, problem := r.cancellable(release)
	if problem != nil {
		return *problem
	}
	if rel.Spec.Kind == v1alpha1.Rollback {
		return refused(codeRollbackGoesOn, command.Args{Application: r.app.Name, Release: rel.Name})
	}
	if rel.Spec.Contract != nil {
		return r.cancelContract(rel, reason)
	}
	if newest := r.deployOf(rel.Spec.Deploy.Commit); newest.Name != rel.Name {
		return refused(codeEndedAlready, command.Args{Application: r.app.Name, Release: rel.Name, Phase: rel.Status.Phase})
	}
	p := r.judge(command.Command{Verb: command.Cancel}, rel.Spec.Deploy.Commit)
	if p.Cancel != nil && reason != "" {
		p.Cancel.Cancel.Reason = reason
	}
	if !p.Refused {
		p.release = rel.Name
	}
	return p
}

// cancelContract stops a contract that has not begun.
func (r *request) cancelContract(rel *v1alpha1.Release, reason string) plan {
	if rel.Status.Phase.Finished() {
		return refused(codeEndedAlready, command.Args{Application: r.app.Name, Release: rel.Name, Phase: rel.Status.Phase})
	}
	p := joined(rel.Name, codeContractCancelled, command.Args{Application: r.app.Name, Release: rel.Name})
	p.Cancel = &command.ReleaseCancel{Release: rel.Name, Cancel: v1alpha1.Cancel{
		By: r.cause.Actor, At: metav1.NewTime(r.now), Cause: r.cause, Reason: reason,
	}}
	return p
}

func (r *request) cancellable(release string) (*v1alpha1.Release, *plan) {
	if release != "" {
		for i := range r.releases {
			if r.releases[i].Name == release {
				return &r.releases[i], nil
			}
		}
		p := refused(codeNoSuchRelease, command.Args{Application: r.app.Name, Release: release})
		return nil, &p
	}
	all := append(r.unfinished(v1alpha1.Deploy), r.unfinished(v1alpha1.Rollback)...)
	all = append(all, r.unfinished(v1alpha1.Contract)...)
	switch len(all) {
	case 0:
		p := refused(codeNoneUnderWay, command.Args{Application: r.app.Name})
		return nil, &p
	case 1:
		return all[0], nil
	}
	p := refused(codeSeveralUnderWay, command.Args{Application: r.app.Name, Releases: names(all)})
	return nil, &p
}

// carryOut writes the decision and returns its release; nil if there is none. Answers go to
// say; a refusal is an error.
func (c *cluster) carryOut(ctx context.Context, p plan, text report.Text, say func(text string)) (*v1alpha1.Release, error) {
	key := types.NamespacedName{Namespace: c.namespace, Name: p.release}
	var err error
	switch {
	case p.Refused:
		return nil, errors.New(text.String())
	case p.Submit != nil:
		var stored *v1alpha1.Release
		if stored, _, err = bot.Submit(ctx, botRecord{c.record}, p.Submit); stored != nil && err == nil {
			key.Name = stored.Name // the name may have been taken
		}
	case p.Approve != nil:
		err = c.record.Approve(ctx, key, p.Approve.Approval)
	case p.Promote != nil:
		err = c.record.Promote(ctx, key, p.Promote.Promotion)
	case p.Cancel != nil:
		err = c.record.Cancel(ctx, key, p.Cancel.Cancel)
	}
	if errors.Is(err, record.ErrSet) { // somebody was quicker with the same request
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if said := text.String(); said != "" {
		say(said)
	}
	if p.release == "" {
		return nil, nil
	}
	return c.record.Release(ctx, key)
}
