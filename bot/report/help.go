package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// help shows the application's current settings. [CommandList] has the commands, which are
// the same for every application.
func (o overview) help() string {
	spec := &o.of.App.Spec
	lines := []string{
		o.heading(),
		fmt.Sprintf("- **Released** from %s of %s to %s, namespace %s", code(spec.Branch), plain(spec.Repository), plain(spec.Environment),
			code(o.of.App.Namespace)),
		"- **Mode**: " + o.mode(),
		"- **Health gate**: " + gate(spec.Gate),
		fmt.Sprintf("- **After the switch**: watched for %s (soak); the old colour keeps its pods for %s at least (drain), and for an instant "+
			"%s for %s (hold); after that it has %s",
			prose.Setting(spec.SoakTime()), prose.Setting(spec.DrainTime()), o.shows(command.Rollback), prose.Setting(spec.HoldTime()),
			pods(spec.StandbyReplicas)),
	}
	if l := o.of.App.Status.Lock; l != nil {
		lines = append(lines, fmt.Sprintf("- 🔒 **Lock**: %s; %s removes it", sentence(lockText(l, plain)), o.shows(command.Unlock)))
	} else {
		lines = append(lines, fmt.Sprintf("- **Lock**: none; %s sets one", o.shows(command.Lock)))
	}
	return strings.Join(lines, "\n")
}

// mode says who approves a switch.
func (o overview) mode() string {
	p := o.of.App.Spec.Promotion
	if p.Mode != v1alpha1.PromotionManual {
		return "*Automatic*: a merge switches when its health gate has passed"
	}
	text := fmt.Sprintf("*Manual*: a merge waits for %s when its health gate has passed", o.shows(command.Promote))
	if p.Timeout.Duration > 0 {
		text += fmt.Sprintf(", and is discarded after %s", prose.Setting(p.Timeout.Duration))
	}
	return text
}

// gate shows what the health gate asks every pod. It hides values of headers, since they
// may be secrets.
func gate(g v1alpha1.GateSpec) string {
	var asks []string
	for _, c := range g.HTTP {
		ask := code("GET " + c.Path)
		if c.Port != 0 {
			ask += fmt.Sprintf(" on port %d", c.Port)
		}
		if c.Status != 0 {
			ask += fmt.Sprintf(" answers %d", c.Status)
		}
		asks = append(asks, ask)
	}
	if g.Exec != nil {
		asks = append(asks, execText(g.Exec.Command)+" ends with 0")
	}
	if len(asks) == 0 {
		asks = []string{"the readiness probe's own request"}
	}
	text := strings.Join(asks, ", ") + "; on every pod"
	if g.Consecutive > 0 {
		text += fmt.Sprintf(", %d times in a row, %s apart", g.Consecutive, prose.Setting(g.Interval.Duration))
	}
	if g.Timeout.Duration > 0 {
		text += fmt.Sprintf(", within %s", prose.Setting(g.Timeout.Duration))
	}
	return text
}

func pods(n int32) string {
	switch n {
	case 0:
		return "no pods"
	case 1:
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// CommandList lists the commands, and who may use them.
func CommandList(repository string, several bool) string {
	lines := []string{"| command | what it does |", "|---|---|"}
	for _, v := range command.Verbs {
		lines = append(lines, fmt.Sprintf("| %s | %s |", usage(v), forms[v].does))
	}
	who := fmt.Sprintf("Everybody who may comment may use `/status` and `/help`. The others need *write* permission in %s. Write a command "+
		"on a line of its own, and only one in a comment.", plain(repository))
	if several {
		who += " Several applications are released from this repository: name the one you mean."
	}
	return strings.Join(lines, "\n") + "\n\n" + who
}

// maxSummary is the length of an application's line if the whole answer is too long for a
// comment, in characters.
const maxSummary = 300

// Together joins the answers about several applications, and then more. If that is too long
// for a comment, each application gets one line, with the command that shows the rest.
func Together(verb command.Verb, which, apps []v1alpha1.BlueGreen, answers []string, more string) string {
	text := paragraphs(append(slices.Clone(answers), more)...)
	if len(text) <= maxComment || len(answers) < 2 {
		return text
	}
	lines := []string{fmt.Sprintf("The full answer about %d applications is too long for one comment. In short, with the command "+
		"for the rest:\n", len(answers))}
	left := maxComment - len(lines[0]) - len(more) - maxSummary
	for i := range answers {
		first, _, _ := strings.Cut(answers[i], "\n")
		line := fmt.Sprintf("- %s %s", prose.Characters(first, maxSummary),
			code(command.Command{Verb: verb, Application: command.NameAmong(&which[i], apps)}.String()))
		if left -= len(line) + 1; left < 0 {
			lines = append(lines, fmt.Sprintf("- and %d more; name the one you mean", len(answers)-i))
			break
		}
		lines = append(lines, line)
	}
	return paragraphs(strings.Join(lines, "\n"), more)
}

// execText shows the gate's command, whole or not at all.
func execText(words []string) string {
	c := v1alpha1.Shell(words...)
	if c == "" || !spans(c) {
		return "the command of spec.gate.exec"
	}
	return inLine(c)
}
