package report

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// schema shows what is owed to the database, and what was done to it; nothing if neither is known.
func (o overview) schema() []string {
	s := o.of.App.Status.Schema
	if s == nil {
		return nil
	}
	var lines []string
	if n := len(s.Expanded); n > 0 {
		last := s.Expanded[n-1]
		lines = append(lines, fmt.Sprintf("- 🗄️ The last expand was of %s, at %s (%s).", code(v1alpha1.ShortCommit(last.Commit)),
			date(last.At.Time), strings.ToLower(string(last.Outcome))))
	}
	c := s.Contract
	switch {
	case c != nil && c.Outcome == "" && c.DoneBy == "":
		lines = append(lines, fmt.Sprintf("- 🗄️ %s runs the contract of %s.", code(c.Release), code(v1alpha1.ShortCommit(c.Commit))))
	case c != nil && !c.Settled():
		again, done := o.of.Typed(command.Contract), o.of.Typed(command.Contract)
		again.Mode, done.Mode = command.ContractRetry, command.ContractDone
		lines = append(lines, fmt.Sprintf("- ⚠️ The contract %s is %s: look at the database; %s then runs it again, and %s with a reason "+
			"declares it done.", code(c.Release), strings.ToLower(string(c.Outcome)), code(again.String()), code(done.String())))
	case c != nil && c.DoneBy != "":
		lines = append(lines, fmt.Sprintf("- 🗄️ The last contract, %s, was declared done by %s: %s", code(c.Release), plain(c.DoneBy),
			plain(c.Reason)))
	case c != nil && c.EndedAt != nil:
		lines = append(lines, fmt.Sprintf("- 🗄️ The last contract was %s, of %s, at %s (%s).", code(c.Release),
			code(v1alpha1.ShortCommit(c.Commit)), date(c.EndedAt.Time), strings.ToLower(string(c.Outcome))))
	}
	if s.Pending == nil {
		return lines
	}
	text := fmt.Sprintf("- 🗄️ %s owes its contract; %s runs it", code(v1alpha1.ShortCommit(s.Pending.Commit)), o.shows(command.Contract))
	if rel := o.waitingContract(); rel != nil && rel.Status.Waiting != nil {
		text = fmt.Sprintf("- 🗄️ %s owes its contract, which %s", code(v1alpha1.ShortCommit(s.Pending.Commit)),
			markdownSurface().Waiting(rel.Status.Waiting, command.Args{}))
	} else if m := o.of.App.Spec.Migrations; m != nil && m.Contract != nil && m.Contract.When != v1alpha1.ContractOnCommand {
		text += ", as happens by itself after the hold"
	}
	return append(lines, text+".")
}

// owedContract says in a release's comment that its version owes a contract; "" if it does not.
func owedContract(v view) string {
	s := v.app.Status.Schema
	if s == nil || s.Pending == nil || s.Pending.Release != v.rel.Name {
		return ""
	}
	when := ""
	if m := v.app.Spec.Migrations; m != nil && m.Contract != nil && m.Contract.When != v1alpha1.ContractOnCommand {
		when = ", as happens by itself after the hold"
	}
	return fmt.Sprintf("🗄️ %s owes its contract; %s runs it%s. From then on %s is refused.", code(v1alpha1.ShortCommit(s.Pending.Commit)),
		v.command(command.Contract), when, v.command(command.Rollback))
}

// waitingContract is the contract that has not begun; nil if there is none.
func (o overview) waitingContract() *v1alpha1.Release {
	for i := range o.of.Releases {
		if rel := &o.of.Releases[i]; rel.Spec.Contract != nil && !rel.Status.Phase.Finished() {
			return rel
		}
	}
	return nil
}
