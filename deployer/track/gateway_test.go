package track

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// says returns a parent with these conditions.
func says(controller, ref string, conditions map[string]Condition) Parent {
	return Parent{Controller: controller, Ref: ref, Conditions: conditions}
}

func observed(generation int64, kinds ...string) map[string]Condition {
	all := map[string]Condition{}
	for _, k := range kinds {
		all[k] = Condition{True: true, Observed: generation}
	}
	return all
}

func TestHear(t *testing.T) {
	const g = "gateway shop/outside"
	const other = "example.com/gateway"
	refusing := observed(4, "Accepted")
	refusing["ResolvedRefs"] = Condition{Observed: 4, Reason: "BackendNotFound", Message: "service app-green-svc not found"}
	refusedBefore := observed(4, "Accepted")
	refusedBefore["ResolvedRefs"] = Condition{Observed: 3, Reason: "BackendNotFound"}
	retrying := observed(4, "Accepted", "ResolvedRefs")
	retrying["Reconciled"] = Condition{Observed: 4, Reason: "ReconciliationFailed", Message: "quota"}
	tests := []struct {
		name     string
		parents  []Parent
		accepted []string
		want     ParentsWord
	}{
		{
			"carried out",
			[]Parent{says(other, g, observed(4, "Accepted", "ResolvedRefs"))},
			[]string{other + " " + g},
			ParentsWord{InEffect: true},
		},
		{
			"of a later generation",
			[]Parent{says(other, g, observed(5, "Accepted", "ResolvedRefs"))},
			[]string{other + " " + g},
			ParentsWord{InEffect: true},
		},
		{"of an older one", []Parent{says(other, g, observed(3, "Accepted", "ResolvedRefs"))}, []string{other + " " + g}, ParentsWord{
			Text: other + " " + g + " has seen generation 3 of it, not 4 (Accepted); " + other + " " + g +
				" has seen generation 3 of it, not 4 (ResolvedRefs)",
		}},
		{"one of two", []Parent{
			says(other, g, observed(4, "Accepted", "ResolvedRefs")), says(other, g+" http", observed(3, "Accepted", "ResolvedRefs")),
		}, []string{other + " " + g, other + " " + g + " http"}, ParentsWord{
			Text: other + " " + g + " http has seen generation 3 of it, not 4 (Accepted); " + other + " " + g +
				" http has seen generation 3 of it, not 4 (ResolvedRefs)",
		}},
		{
			"another controller's word of the same Gateway",
			[]Parent{says("example.com/other", g, observed(4, "Accepted", "ResolvedRefs"))},
			[]string{other + " " + g},
			ParentsWord{Text: "a Gateway that had accepted it no longer reports on it"},
		},
		{"one that had not accepted it", []Parent{
			says(other, g, observed(4, "Accepted", "ResolvedRefs")), says(other, "gateway shop/old", observed(1)),
		}, []string{other + " " + g}, ParentsWord{InEffect: true}},
		{"no generation", []Parent{says(other, g, observed(0, "Accepted", "ResolvedRefs"))}, []string{other + " " + g}, ParentsWord{
			Silent: true, Text: other + " " + g + " does not report the generation of its condition Accepted; " + other + " " + g +
				" does not report the generation of its condition ResolvedRefs",
		}},
		{"one silent, the other behind", []Parent{
			says(other, g, observed(0, "Accepted", "ResolvedRefs")), says(other, "b", observed(3, "Accepted", "ResolvedRefs")),
		}, []string{other + " " + g, other + " b"}, ParentsWord{
			Text: other + " b has seen generation 3 of it, not 4 (Accepted); " + other + " b has seen generation 3 of it, not 4 (ResolvedRefs)",
		}},
		{"refused", []Parent{says(other, g, refusing)}, []string{other + " " + g}, ParentsWord{
			Refused: true, Text: other + " " + g + " reports that ResolvedRefs is false: BackendNotFound service app-green-svc not found",
		}},
		{"refused before", []Parent{says(other, g, refusedBefore)}, []string{other + " " + g}, ParentsWord{
			Text: other + " " + g + " has seen generation 3 of it, not 4 (ResolvedRefs)",
		}},
		{
			"GKE, accepted and resolved only",
			[]Parent{says(GKEGateway, g, observed(4, "Accepted", "ResolvedRefs"))},
			[]string{GKEGateway + " " + g},
			ParentsWord{Silent: true, Text: GKEGateway + " " + g + " has no condition Reconciled"},
		},
		{
			"GKE, carried out",
			[]Parent{says(GKEGateway, g, observed(4, "Accepted", "ResolvedRefs", "Reconciled"))},
			[]string{GKEGateway + " " + g},
			ParentsWord{InEffect: true},
		},
		{"GKE, tries again", []Parent{says(GKEGateway, g, retrying)}, []string{GKEGateway + " " + g}, ParentsWord{
			Text: GKEGateway + " " + g + " has not programmed it: ReconciliationFailed quota",
		}},
		{"nobody's Reconciled but GKE's", []Parent{says(other, g, retrying)}, []string{other + " " + g}, ParentsWord{InEffect: true}},
		{"nobody had accepted it", nil, nil, ParentsWord{Silent: true, Text: "no Gateway has accepted it"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var accepted []string
			for _, name := range test.accepted {
				controller, ref, _ := strings.Cut(name, " ")
				accepted = append(accepted, Parent{Controller: controller, Ref: ref}.Key())
			}
			if got := Hear(test.parents, accepted, 4); got != test.want {
				t.Errorf("heard %+v, not %+v", got, test.want)
			}
		})
	}
}

func TestSwitchOnAGatewayIsConfirmedByEveryParent(t *testing.T) {
	switched := noon
	at := func(s int) time.Time { return switched.Add(time.Duration(s) * time.Second) }
	behind := ParentsWord{Text: "a has seen generation 3 of it, not 4 (Accepted)"}
	silent := ParentsWord{Silent: true, Text: "a does not report the generation of its condition Accepted"}
	refused := ParentsWord{Refused: true, Text: "a reports that ResolvedRefs is false: BackendNotFound"}
	there := ParentsWord{InEffect: true}
	const url = "https://shop.example.com"
	for _, test := range []struct {
		name    string
		after   int
		change  func(*SwitchLook)
		outcome ConfirmOutcome
		sign    v1alpha1.Sign
		says    string
	}{
		{"behind", 1, func(l *SwitchLook) { l.Parents = behind }, ConfirmAgain, "", "a has seen generation 3"},
		{"behind, although the new version answers", 30, func(l *SwitchLook) {
			l.Parents, l.URL, l.ToldApart, l.Seen.NewInARow = behind, url, true, 99
		}, ConfirmAgain, "", "a has seen generation 3"},
		{"behind to the end", 600, func(l *SwitchLook) { l.Parents = behind }, ConfirmStuck, "", "not every Gateway has taken up the HTTPRoute"},
		{"there, and front ends follow", 5, func(l *SwitchLook) { l.Parents = there }, ConfirmAgain, v1alpha1.SignRouteStatus, "front ends time"},
		{"there for the tail", 40, func(l *SwitchLook) { l.Parents, l.Effect = there, at(10) }, ConfirmDone, "", ""},
		{"there, and the old version answers", 45, func(l *SwitchLook) {
			l.Parents, l.Effect, l.URL, l.ToldApart, l.Seen.LastOld = there, at(10), url, true, at(40)
		}, ConfirmAgain, "", "until the old version"},
		{"refused", 1, func(l *SwitchLook) { l.Parents = refused }, ConfirmUntranslatable, "", "BackendNotFound"},
		{"refused, of a rollback", 1, func(l *SwitchLook) { l.Parents, l.Rollback = refused, true }, ConfirmAgain, "", "BackendNotFound"},
		{"silent", 59, func(l *SwitchLook) { l.Parents = silent }, ConfirmAgain, "", "does not report the generation"},
		{"silent for the time", 60, func(l *SwitchLook) { l.Parents = silent }, ConfirmAgain, v1alpha1.SignWait, "front ends time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := SwitchLook{Now: at(test.after), SwitchedAt: switched, Deadline: at(600), Gateway: true, Wait: time.Minute, Tail: 30 * time.Second}
			test.change(&l)
			v := l.Judge()
			if v.Outcome != test.outcome || v.Sign != test.sign || !strings.Contains(v.Message, test.says) {
				t.Errorf("outcome %d, sign %q, message %q", v.Outcome, v.Sign, v.Message)
			}
			if v.Outcome == ConfirmAgain && (v.Waits == nil || !v.At.After(l.Now)) {
				t.Errorf("it waits for %+v, next look at %s", v.Waits, v.At)
			}
		})
	}
}

func TestColourOnAGatewayIsWarmOnceTheStandbyRouteIsInEffectAndItsTimeIsOver(t *testing.T) {
	look := func(change ...func(*WarmLook)) WarmLook {
		l := warmLook()
		l.LoadBalancer, l.Groups, l.Standby = v1alpha1.LoadBalancerGateway, nil, ParentsWord{InEffect: true}
		l.Known.HealthySince = &metav1.MicroTime{Time: noon.Add(-30 * time.Second)}
		for _, c := range change {
			c(&l)
		}
		return l
	}
	for _, test := range []struct {
		name   string
		change func(*WarmLook)
		warm   bool
		lacks  string
	}{
		{"its time is over", func(*WarmLook) {}, true, ""},
		{"begins now", func(l *WarmLook) { l.Known.HealthySince = nil }, false, "so the release waits 30s"},
		{"a pod is younger", func(l *WarmLook) { l.Pods[1].ReadySince = noon.Add(-time.Second) }, false, "so the release waits 30s"},
		{
			"standby not in effect", func(l *WarmLook) { l.Standby = ParentsWord{Text: "a has no condition Accepted yet"} }, false,
			"a has no condition",
		},
		{"standby refused", func(l *WarmLook) { l.Standby = ParentsWord{Refused: true, Text: "BackendNotFound"} }, false, "BackendNotFound"},
		{"a Gateway that does not tell", func(l *WarmLook) { l.Standby = ParentsWord{Silent: true} }, true, ""},
		{"no endpoint", func(l *WarmLook) { l.Endpoints = []string{"g1"} }, false, "is not a ready endpoint"},
		{"held", func(l *WarmLook) {
			l.Known.HealthySince, l.Standby, l.Rollback, l.Referenced, l.LeftAt = nil, ParentsWord{}, true, true, noon
		}, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := look(test.change).Judge()
			if w.Warm != test.warm || !strings.Contains(texts(w.Lacking), test.lacks) || w.Warm != (len(w.Lacking) == 0) {
				t.Errorf("warm %v, lacking %q", w.Warm, texts(w.Lacking))
			}
		})
	}
	if w := look(func(l *WarmLook) { l.Endpoints = nil }).Judge(); w.HealthySince != nil {
		t.Errorf("a colour that lacks endpoints counts as well since %s", w.HealthySince)
	}
}

func TestSwitchOnAGatewayIsTakenUpOnceThereIsASign(t *testing.T) {
	record := v1alpha1.SwitchRecord{LoadBalancer: v1alpha1.LoadBalancerGateway}
	if SwitchTakenUp(&record, v1alpha1.LoadBalancerGateway) {
		t.Error("without a sign the switch counts as taken up")
	}
	for _, sign := range []v1alpha1.Sign{v1alpha1.SignRouteStatus, v1alpha1.SignPerson, v1alpha1.SignWait} {
		record.TookEffectAt, record.TookEffectBy = &metav1.Time{Time: noon}, sign
		if !SwitchTakenUp(&record, v1alpha1.LoadBalancerGateway) {
			t.Errorf("the switch is not taken up by %s", sign)
		}
	}
}
