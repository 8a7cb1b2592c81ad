package bot_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// TestAnswersAboutManyApplicationsFitIntoAComment: a too long answer becomes a short one
// with the commands for the rest.
func TestAnswersAboutManyApplicationsFitIntoAComment(t *testing.T) {
	for _, tt := range []struct {
		applications int
		cut          bool // not even a line for each
	}{{50, false}, {500, true}} {
		w := newWorld(t)
		for i := range tt.applications - 1 {
			app := bottest.Shop()
			app.Namespace, app.Name = fmt.Sprintf("team-with-a-rather-long-name-for-a-namespace-%03d",
				i), fmt.Sprintf("an-application-of-forty-characters-no-%03d", i)
			app.Spec.Gate.HTTP = make([]v1alpha1.HTTPCheck, 16)
			for j := range app.Spec.Gate.HTTP {
				app.Spec.Gate.HTTP[j] = v1alpha1.HTTPCheck{Path: fmt.Sprintf("/some/health/page/of/the/application/%d", j), Port: 8080, Status: 200}
			}
			app.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Preflight", Message: strings.Repeat("long ", 100),
			}}
			w.record.add(app)
		}
		pr, _ := w.merge("feature")
		for _, verb := range []string{"/status", "/help"} {
			w.say(pr.Number, w.writer, verb)
			answers := w.answers(pr.Number)
			if len(answers) == 0 {
				t.Fatalf("%s about %d applications gets no answer", verb, tt.applications)
			}
			last := answers[len(answers)-1]
			if n := utf8.RuneCountInString(last); n > 61000 || !strings.Contains(last, "an-application-of-forty-characters-no-000") {
				t.Errorf("the answer to %s about %d applications has %d characters, want at most 61000 with each", verb, tt.applications, n)
			}
			if short := verb + " an-application-of-forty-characters-no-000`"; (verb == "/help" || tt.cut) && !strings.Contains(last, short) {
				t.Errorf("the answer to %s about %d applications does not say how to ask for one:\n%.2000s", verb, tt.applications, last)
			}
			if strings.Contains(last, " more; name the one you mean") != tt.cut && verb == "/help" {
				t.Errorf("the answer to %s about %d applications does not say that some are missing: %v", verb, tt.applications, tt.cut)
			}
			if verb == "/help" && !strings.Contains(last, "| `/rollback ") {
				t.Errorf("the answer to %s about %d applications has no list of commands", verb, tt.applications)
			}
		}
	}
}
