package report

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// waiting says what the release waits for. It cuts texts from outside to so many
// characters. Records of older versions have a message instead of facts.
func (v view) waiting(most int) string {
	if w := v.rel.Status.Waiting; w != nil {
		shown := *w
		shown.Detail = prose.Characters(w.Detail, most)
		return markdownSurface().Waiting(&shown, v.named(w.Release))
	}
	return inMarkdown(command.Fact{Code: CodeMessage, Args: command.Args{Reason: prose.Characters(v.rel.Status.Message, most)}}).Says
}

// failed says why the release ended, in so many characters at most.
func (v view) failed(most int) string {
	if f := v.rel.Status.Failure; f != nil {
		shown := *f
		shown.Message = prose.Characters(f.Message, most)
		return markdownSurface().Failure(&shown, v.named(f.Release))
	}
	return inMarkdown(command.Fact{Code: CodeMessage, Args: command.Args{Reason: prose.Characters(v.rel.Status.Message, most)}}).Says
}

// named returns this release's version, and the other release's if the record has it.
func (v view) named(release string) command.Args {
	about := CancelOf(v.rel)
	about.Version = &v1alpha1.Version{Commit: v.commit()}
	if other := command.ByName(v.around.Releases, release); other != nil {
		about.Kind = other.Spec.Kind
		about.Other = &v1alpha1.Version{Commit: v.of(other).commit()}
		if back := other.Spec.Rollback; back != nil {
			about.Other = &back.To
		}
	}
	return about
}
