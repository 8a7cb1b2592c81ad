package report

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// inComments has the texts for answers to comments, including those that only show a state.
func inComments() Surface {
	s := markdownSurface()
	s.Words["status"] = func(a command.Args) string { return overview{a.Shown}.status() }
	s.Words["help"] = func(a command.Args) string { return overview{a.Shown}.help() }
	return s
}

// Say turns a fact into the text of an answer.
func Say(f command.Fact) Text { return inComments().Say(f) }

// overview shows an application, in answer to a command.
type overview struct{ of *command.Situation }

// status shows what is live, what is under way, and what blocks it.
func (o overview) status() string {
	st := o.of.App.Status
	lines := []string{o.heading()}
	if st.Lock != nil {
		lines = append(lines, fmt.Sprintf("- 🔒 %s", lockText(st.Lock, plain)))
	}
	for _, c := range st.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionFalse ||
			c.Type != v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue {
			lines = append(lines, item(withCommands(fmt.Sprintf("⚠️ **%s**: %s", plain(c.Reason), plain(prose.Characters(c.Message, maxAdvice))),
				st.CommandsOf(c.Type))))
		}
	}
	var unfinished []string
	around := Around{Applications: o.of.Applications, Releases: o.of.Releases}
	for i := range o.of.Releases {
		rel := &o.of.Releases[i]
		if rel.Status.Phase.Finished() || rel.Spec.Contract != nil { // the schema's line shows a contract
			continue
		}
		unfinished = append(unfinished, "- "+headline{newView(&o.of.App, rel, around)}.line())
	}
	unfinished, more := whole(unfinished, maxComment/4, len("\n"))
	if lines = append(lines, unfinished...); more > 0 {
		lines = append(lines, item(andMore(more, "")))
	}
	lines = append(lines, o.schema()...)
	switch last := st.LastSwitch; {
	case st.Mixed != nil && st.Mixed.Back != nil:
		back := o.of.Typed(command.Rollback)
		back.Commit = v1alpha1.ShortCommit(st.Mixed.Back.From.Commit)
		lines = append(lines, fmt.Sprintf("- %s brings all users to %s on %s, which they had before.", code(back.String()),
			code(st.Mixed.Back.To.Short()), st.Mixed.Back.To.Color))
	case st.Live == nil: // the condition says why; nothing can be rolled back
	case last != nil && last.To.Color != st.Live.Color:
		lines = append(lines, fmt.Sprintf("- ⚠️ Something other than Turnout moved traffic to %s since the last switch: look at the "+
			"Ingress or HTTPRoute; until then %s does not work.", st.Live.Color, o.shows(command.Rollback)))
	case last != nil && last.Kind == string(v1alpha1.Deploy) && st.Previous != nil:
		held, back := "at once, it still runs", command.FindWayBack(&o.of.App, st.Previous, o.of.Releases)
		if back.Closed() {
			lines = append(lines, "- 🔐 "+inMarkdown(*back.Lacks).Says)
			break
		}
		if !back.Instant {
			held = "its pods would be started first, since " + inMarkdown(*back.Lacks).Says
		}
		if back.About > 0 {
			held += ", " + prose.Estimate(back.About) + longer(back.Longer)
		}
		if back.IfHealthy != nil {
			if back.Instant {
				held = "it still runs"
			}
			held += "; " + gateFirst(back)
		}
		lines = append(lines, fmt.Sprintf("- %s returns to %s on %s: %s.", code(o.of.RollbackByCommit().String()),
			code(st.Previous.Short()), st.Previous.Color, held))
	case last != nil:
		lines = append(lines, fmt.Sprintf("- The last switch, by %s, went back from %s.", code(last.Release), code(last.From.Short())))
	}
	return strings.Join(lines, "\n")
}

// gateFirst says that the health gate decides about a rollback, and why.
func gateFirst(back command.WayBack) string {
	why := back.IfHealthy.Args
	return fmt.Sprintf("its health gate decides first, since %s changed the database at %s, after users had left it", code(why.Release),
		prose.Minute(why.At.Time))
}

// heading names the application and its live version.
func (o overview) heading() string {
	name := plain(o.of.App.Name)
	if full := o.of.Name(); strings.Contains(full, "/") { // several namespaces have one of that name
		name = plain(full)
	}
	live := "nothing is live"
	if o.of.App.Status.Mixed != nil {
		live = "users are on both colours"
	}
	if v := o.of.App.Status.Live; v != nil {
		live = fmt.Sprintf("%s is live on %s", versionCode(v), v.Color)
	}
	return fmt.Sprintf("**%s** (%s): %s.", name, plain(o.of.App.Spec.Environment), live)
}

// shows is a command for this application, as people type it.
func (o overview) shows(verb command.Verb) string { return code(o.of.Typed(verb).String()) }
