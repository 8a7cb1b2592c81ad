package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// blockedJSON is a condition, and the commands that its message names.
type blockedJSON struct {
	Reason   string                  `json:"reason"`
	Message  string                  `json:"message"`
	Commands []v1alpha1.ShellCommand `json:"commands,omitempty"`
}

// told is a condition that is True, with its commands; nil if it is not.
func told(bg *v1alpha1.BlueGreen, kind string) *blockedJSON {
	c := meta.FindStatusCondition(bg.Status.Conditions, kind)
	if c == nil || c.Status != metav1.ConditionTrue {
		return nil
	}
	return &blockedJSON{c.Reason, c.Message, bg.Status.CommandsOf(kind)}
}

// gateFirst says that the health gate decides about a rollback, and why.
func gateFirst(why *command.Fact) string {
	return fmt.Sprintf("if it passes its health gate, since %s changed the database at %s, after users had left it", why.Args.Release,
		why.Args.At.UTC().Format("15:04 UTC"))
}

// schemaLine is what is known of the schema.
func schemaLine(s *v1alpha1.SchemaStatus) string {
	text := string(s.State)
	if c := s.Contract; c != nil {
		text += fmt.Sprintf("; the last contract is %s, begun at %s", c.Release, prose.Minute(c.IntendedAt.Time))
	}
	if s.Pending != nil {
		text += fmt.Sprintf("; %s owes its contract", v1alpha1.ShortCommit(s.Pending.Commit))
	}
	if n := len(s.Expanded); n > 0 {
		last := s.Expanded[n-1]
		text += fmt.Sprintf("; the last expand was of %s, at %s", v1alpha1.ShortCommit(last.Commit), prose.Minute(last.At.Time))
	}
	return strings.TrimPrefix(text, "; ")
}

// owedLine says which workers do not follow users yet.
func owedLine(owed *v1alpha1.WorkersOwed) string {
	parts := []string{"they do not follow users yet, since " + prose.Minute(owed.Since.Time)}
	for _, k := range owed.Kept {
		parts = append(parts, fmt.Sprintf("%s works on for users that left: %s", k.Deployment, keptBecause(k)))
	}
	return strings.Join(parts, "; ")
}

// keptBecause is why a worker works on.
func keptBecause(k v1alpha1.KeptWorker) string {
	why := map[string]string{
		v1alpha1.ReasonTasksLeft: "its queue is not empty", v1alpha1.ReasonQueueUnknown: "nobody knows whether its queue is empty",
		v1alpha1.ReasonInUse: "users may still reach its side", v1alpha1.ReasonNotAsked: "its pods were not asked yet",
	}[k.State]
	if why == "" {
		why = k.State
	}
	if k.Detail != "" {
		why += " (" + k.Detail + ")"
	}
	return why
}

// owedBy is what an application owes its workers because of a release; nil if it is nothing.
func owedBy(bg *v1alpha1.BlueGreen, rel *v1alpha1.Release) *v1alpha1.WorkersOwed {
	if bg == nil || bg.Status.WorkersOwed == nil {
		return nil
	}
	if by, _, _ := strings.Cut(bg.Status.WorkersOwed.By, " "); by != rel.Name {
		return nil
	}
	return bg.Status.WorkersOwed
}
