package main

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// stands says where a release stands: what it waits for, or how it ended. Records of older
// versions have a message instead of facts.
func stands(rel *v1alpha1.Release) string {
	s, surface := &rel.Status, terminal(&v1alpha1.BlueGreen{})
	about := command.Args{Version: broughtBy(rel)}
	switch w := s.Waiting; {
	case isApproved(rel) && (w == nil || w.For == v1alpha1.WaitsForApproval):
		return surface.Say(command.Fact{Code: codeApproved, Args: command.Args{By: rel.ApprovedBy()}}).Says
	case isApproved(rel) && w.For == v1alpha1.WaitsForLock:
		return surface.Say(command.Fact{Code: codeApprovedLocked, Args: command.Args{By: rel.ApprovedBy(), Because: &command.Fact{
			Code: report.WaitingCode(w.For, ""), Args: command.Args{By: w.By, At: w.Since, Reason: w.Detail},
		}}}).Says
	case w != nil:
		return surface.Waiting(w, about)
	case s.Phase.Finished() && s.Failure != nil:
		return failed(surface, rel)
	case s.Phase == v1alpha1.ReleaseSucceeded && s.Version != "":
		return surface.Say(command.Fact{Code: codeUsersHave, Args: about}).Says
	case s.Message == "":
		return ""
	}
	return surface.Say(command.Fact{Code: report.CodeMessage, Args: command.Args{Reason: s.Message}}).Says
}

// broughtBy is what a release brings users to. status.version is only its short name.
func broughtBy(rel *v1alpha1.Release) *v1alpha1.Version {
	if back := rel.Spec.Rollback; back != nil {
		return &back.To
	}
	return &v1alpha1.Version{Commit: rel.Status.Version}
}

// failed says on a surface why a release did not succeed.
func failed(surface report.Surface, rel *v1alpha1.Release) string {
	about := report.CancelOf(rel)
	about.Version = broughtBy(rel)
	return surface.Failure(rel.Status.Failure, about)
}

// isApproved reports whether a release that waits for an approval has one: its status may
// be older than the approval.
func isApproved(rel *v1alpha1.Release) bool {
	return rel.Spec.Approval != nil && rel.Status.Phase == v1alpha1.ReleaseWaiting && rel.Status.Step == v1alpha1.StepPromote
}

// stepSays says what a step did, or what it waits for.
func stepSays(rel *v1alpha1.Release, entry v1alpha1.TimelineEntry) string {
	if s := rel.Status; entry.FinishedAt == nil && entry.Step == s.Step && (s.Waiting != nil || isApproved(rel)) {
		return stands(rel)
	}
	return oneLine(entry.Message)
}
