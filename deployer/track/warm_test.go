package track

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const neg = "k8s1-90a4ab9d-shop-app-green-svc-80-3c8a2d4e"

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// The messages are those of ingress-gce's unmodified controller.
const (
	healthyMessage = `Pod has become Healthy in NEG "Key{\"` + neg + `\", zone: \"us-central1-b\"}" attached to BackendService "Key{\"` +
		neg + `\"}". Marking condition "cloud.google.com/load-balancer-neg-ready" to True.`
	waitingMessage      = "Waiting for pod to become healthy in at least one of the NEG(s): [" + neg + "]"
	unreferencedMessage = `Pod does not belong to any NEG. Marking condition "cloud.google.com/load-balancer-neg-ready" to True.`
	uncheckedMessage    = `Pod is in NEG "Key{\"` + neg +
		`\", zone: \"us-central1-b\"}". NEG is not attached to any BackendService with health checking. Marking condition ` +
		`"cloud.google.com/load-balancer-neg-ready" to True.`
	timeoutMessage = "Timeout waiting for pod to become healthy in at least one of the NEG(s): [" + neg +
		`]. Marking condition "cloud.google.com/load-balancer-neg-ready" to True.`
)

func gate(is bool, reason, message string) []Gate {
	return []Gate{{Type: readinessGate, True: is, Reason: reason, Message: message}}
}

// podWith is a ready pod, half a minute old.
func podWith(name string, gates []Gate) Pod {
	at := noon.Add(-30 * time.Second)
	return Pod{Name: name, Created: at, Ready: true, ReadySince: at, ContainersReady: true, Gates: gates}
}

// warmLook is a colour of two pods that lacks nothing.
func warmLook() WarmLook {
	return WarmLook{
		Now: noon, LoadBalancer: v1alpha1.LoadBalancerGCE, Service: "app-green-svc",
		Pods:      []Pod{podWith("g1", gate(true, reasonReady, healthyMessage)), podWith("g2", gate(true, reasonReady, healthyMessage))},
		Endpoints: []string{"g1", "g2"},
		Groups:    []Group{{Port: 80, Name: neg, Routed: true, State: "HEALTHY"}},
	}
}

func texts(all []Lack) string {
	var out []string
	for _, l := range all {
		out = append(out, l.String())
	}
	return strings.Join(out, "; ")
}

func TestJudgeOnGooglesLoadBalancer(t *testing.T) {
	second := func(gates []Gate) func(*WarmLook) {
		return func(l *WarmLook) { l.Pods[1].Gates = gates }
	}
	tests := []struct {
		name   string
		change func(*WarmLook)
		warm   bool
		// lacking and unseen are parts of the text.
		lacking, unseen string
		poke            bool
	}{
		{"every pod found healthy", func(*WarmLook) {}, true, "", "", false},
		{"no pods", func(l *WarmLook) { l.Pods = nil }, false, "there are no pods", "", false},
		{"only a pod that ends", func(l *WarmLook) { l.Pods = l.Pods[:1]; l.Pods[0].Terminating = true }, false, "there are no pods", "", false},
		{"a pod that ends does not count", func(l *WarmLook) {
			old := podWith("g0", nil)
			old.Terminating, old.Ready = true, false
			l.Pods = append(l.Pods, old)
		}, true, "", "", false},
		{"a pod waits for the load balancer", func(l *WarmLook) {
			l.Pods[1].Ready, l.Pods[1].Gates = false, gate(false, "LoadBalancerNegNotReady", waitingMessage)
		}, false, "pod g2 runs, and waits for the load balancer to find it healthy: Waiting for pod", "", false},
		{"nobody has written a pod's condition", func(l *WarmLook) {
			l.Pods[1].Ready, l.Pods[1].Gates = false, gate(false, "", "")
		}, false, "pod g2 runs, and waits for the load balancer to find it healthy", "", false},
		{
			"a pod is not ready by its own probe", func(l *WarmLook) { l.Pods[1].Ready, l.Pods[1].ContainersReady = false, false }, false,
			"pod g2 is not ready", "", false,
		},
		{
			"a pod is no endpoint", func(l *WarmLook) { l.Endpoints = []string{"g1"} }, false,
			"pod g2 is not a ready endpoint of service app-green-svc",
			"", false,
		},
		{
			"trap: let through before its service was referenced", second(gate(true, reasonReady, unreferencedMessage)), false,
			"must find the service healthy for 30s", "g2 was started before the ingress named its service", true,
		},
		{
			"trap: let through without a health check", second(gate(true, reasonUnchecked, uncheckedMessage)), false, "must find",
			"g2 was let through without a health check", true,
		},
		{
			"trap: let through after ten minutes", second(gate(true, reasonTimeout, timeoutMessage)), false, "must find",
			"g2 was let through because it had waited too long", true,
		},
		{
			"trap: found healthy in another NEG", second(gate(true, reasonReady, strings.ReplaceAll(healthyMessage, neg, "k8s1-other"))), false,
			"must find", "g2 was found healthy in another NEG, k8s1-other", true,
		},
		{
			"trap: True by another hand", second(gate(true, "Manual", "because")), false, "must find",
			"g2 was let through for another reason (Manual: because)", true,
		},
		{
			"trap: another hand, with the words of a health check", second(gate(true, "Manual", healthyMessage)), false, "must find",
			"g2 was let through for another reason (Manual: Pod has become Healthy", true,
		},
		{
			"trap: another hand, with the words of no NEG", second(gate(true, "Manual", unreferencedMessage)), false, "must find",
			"g2 was let through for another reason (Manual: Pod does not belong", true,
		},
		{
			"trap: the gate of somebody else", second([]Gate{{Type: "example.com/warm", True: true, Reason: reasonReady, Message: healthyMessage}}),
			false, "must find", "g2 has no readiness gate cloud.google.com/load-balancer-neg-ready", true,
		},
		{
			"a gate of somebody else is no trap", second(append([]Gate{{Type: "example.com/warm"}}, gate(true, reasonReady, healthyMessage)...)),
			true, "", "", false,
		},
		{"a pod waits for its containers and for the load balancer", func(l *WarmLook) {
			l.Pods[1].Ready, l.Pods[1].ContainersReady, l.Pods[1].Gates = false, false, gate(false, "LoadBalancerNegNotReady", waitingMessage)
		}, false, "pod g2 is not ready", "", false},
		{"a pod that ended after users had left does not count", func(l *WarmLook) {
			old := podWith("g0", nil)
			old.Terminating, old.ReadySince = true, noon
			l.Pods = append(l.Pods, old)
		}, true, "", "", false},
		{"trap: the reason alone", second(gate(true, reasonReady, "")), false, "must find", "another reason", true},
		{
			"trap: healthy, but in no backend service",
			second(gate(true, reasonReady, `Pod has become Healthy in NEG "Key{\"`+neg+`\", zone: \"us-central1-b\"}". Marking condition to True.`)),
			false, "must find", "another reason", true,
		},
		{"trap: no gate at all", second(nil), false, "must find", "g2 has no readiness gate", true},
		{"a pod that had users until the last switch needs no gate", func(l *WarmLook) {
			l.Pods[1].Gates, l.LeftAt = nil, noon.Add(-10*time.Second)
		}, true, "", "", false},
		{"a pod that came after users had left does", func(l *WarmLook) {
			l.Pods[1].Gates, l.LeftAt = nil, noon.Add(-30*time.Second)
		}, false, "must find", "no readiness gate", true},
		{"the service is referenced nowhere", func(l *WarmLook) { l.Groups = nil }, false, "names no port of service app-green-svc", "", false},
		{
			"trap: the NEG is named but not in the routes", func(l *WarmLook) { l.Groups[0].Routed = false }, false,
			neg + " is not among the backends",
			"", false,
		},
		{
			"the NEG is not named", func(l *WarmLook) { l.Groups[0] = Group{Port: 80} }, false, "port 80 of service app-green-svc has no", "",
			false,
		},
		{
			"the NEG is not synced", func(l *WarmLook) { l.Groups[0].Trouble = "its condition Synced is False: NegSyncFailed" }, false,
			"NEG " + neg + ": its condition Synced is False", "", false,
		},
		{
			"the annotation is older than the pods", func(l *WarmLook) { l.Groups[0].State = "Unknown" }, false, `reported "Unknown" for ` + neg, "",
			true,
		},
		{"one of two ports is not healthy", func(l *WarmLook) {
			l.Groups = append(l.Groups, Group{Port: 81, Name: "k8s1-81", Routed: true, State: "UNHEALTHY"})
		}, false, `reported "UNHEALTHY" for k8s1-81`, "", true},
		{"nothing to learn from a poke while a pod starts", func(l *WarmLook) {
			l.Groups[0].State, l.Pods[0].Ready, l.Pods[0].ContainersReady = "Unknown", false, false
		}, false, "pod g1 is not ready", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := warmLook()
			tt.change(&l)
			w := l.Judge()
			if w.Warm != tt.warm || w.Warm != (len(w.Lacking) == 0) {
				t.Errorf("warm = %v, lacking %q", w.Warm, texts(w.Lacking))
			}
			if got := texts(w.Lacking); !strings.Contains(got, tt.lacking) {
				t.Errorf("lacking %q, want %q", got, tt.lacking)
			}
			if got := texts(w.Unseen); !strings.Contains(got, tt.unseen) || (tt.unseen == "") != (got == "") {
				t.Errorf("unseen %q, want %q", got, tt.unseen)
			}
			if w.PokeAt.IsZero() == tt.poke {
				t.Errorf("poke at %v, want one: %v", w.PokeAt, tt.poke)
			}
		})
	}
}

// Without a report per pod, HEALTHY must hold for the settle time, with a poke in between. An
// earlier HEALTHY may be of any age.
func TestUntoldPodsNeedTheBackendHealthyForAWhile(t *testing.T) {
	l := warmLook()
	for i := range l.Pods {
		l.Pods[i].Gates = nil
	}
	type event struct {
		at    time.Duration
		state string
	}
	run := func(t *testing.T, states ...event) (pokes []time.Duration, warm time.Duration) {
		t.Helper()
		look := l
		look.Groups = slices.Clone(l.Groups)
		for at := time.Duration(0); at < 10*time.Minute; at += time.Second {
			for _, e := range states {
				if e.at == at {
					look.Groups[0].State = e.state
				}
			}
			look.Now = noon.Add(at)
			w := look.Judge()
			look.Known.HealthySince = w.HealthySince
			if w.Warm {
				return pokes, at
			}
			if !w.PokeAt.IsZero() && !look.Now.Before(w.PokeAt) {
				pokes = append(pokes, at)
				look.Known.Pokes++
				look.Known.PokedAt = &metav1.MicroTime{Time: look.Now}
			}
		}
		t.Fatalf("never warm; poked at %v", pokes)
		return nil, 0
	}
	pokes, warm := run(t)
	if want := []time.Duration{0, 15 * time.Second}; !slices.Equal(pokes, want) || warm != 31*time.Second {
		t.Errorf("healthy all the time: poked at %v, warm after %s", pokes, warm)
	}
	// The first poke shows that the state was old.
	pokes, warm = run(t, event{2 * time.Second, "Unknown"}, event{17 * time.Second, "HEALTHY"})
	if want := []time.Duration{0, 5 * time.Second, 20 * time.Second}; !slices.Equal(pokes, want) || warm != 47*time.Second {
		t.Errorf("an old HEALTHY: poked at %v, warm after %s", pokes, warm)
	}
	// Health is listed late in an empty group: the first poke is too early for it.
	pokes, warm = run(t, event{0, "Unknown"}, event{6 * time.Second, "HEALTHY"})
	if want := []time.Duration{0, 5 * time.Second, 20 * time.Second}; !slices.Equal(pokes, want) || warm != 36*time.Second {
		t.Errorf("healthy after a moment: poked at %v, warm after %s", pokes, warm)
	}
	pokes, warm = run(t, event{20 * time.Second, "UNHEALTHY"}, event{50 * time.Second, "HEALTHY"})
	if warm < 80*time.Second {
		t.Errorf("a break in between: poked at %v, warm after %s", pokes, warm)
	}
	pokes, _ = run(t, event{0, "Unknown"}, event{500 * time.Second, "HEALTHY"})
	for i := 4; i < len(pokes); i++ {
		if pokes[i]-pokes[i-1] < time.Minute {
			t.Errorf("the pokes do not get rarer: %v", pokes)
		}
	}
	if len(pokes) > 14 {
		t.Errorf("%d pokes would use up the controller's events", len(pokes))
	}
}

func TestPodThatBecameReadyLaterBeginsTheWaitAnew(t *testing.T) {
	l := warmLook()
	l.Pods[1].Gates = nil
	since := metav1.NewMicroTime(noon.Add(-40 * time.Second))
	poked := metav1.NewMicroTime(noon.Add(-20 * time.Second))
	l.Known = v1alpha1.RouteStatus{HealthySince: &since, PokedAt: &poked, Pokes: 2}
	l.Pods[1].ReadySince = noon.Add(-50 * time.Second)
	l.Pods[0].ReadySince = l.Pods[1].ReadySince
	if w := l.Judge(); !w.Warm {
		t.Errorf("healthy for 40 s with a poke in between, and lacking %q", texts(w.Lacking))
	}
	l.Pods[1].ReadySince = noon.Add(-10 * time.Second)
	if w := l.Judge(); w.Warm || !w.HealthySince.Time.Equal(noon) {
		t.Errorf("a new pod appeared: warm %v, since %v", w.Warm, w.HealthySince)
	}
}

// An annotation that has not been written again shows nothing about the time since.
func TestHealthyForAWhileNeedsAPokeWithinIt(t *testing.T) {
	l := warmLook()
	l.Pods[1].Gates = nil
	since, poked := metav1.NewMicroTime(noon.Add(-29*time.Second)), metav1.NewMicroTime(noon.Add(-29*time.Second))
	l.Known = v1alpha1.RouteStatus{HealthySince: &since, PokedAt: &poked, Pokes: 4}
	l.Now = noon.Add(5 * time.Second)
	if w := l.Judge(); w.Warm || w.PokeAt.IsZero() {
		t.Errorf("no poke for 34 s, and warm is %v, the next poke %v", w.Warm, w.PokeAt)
	}
}

// After a long wait, one poke makes the load balancer report again. The report then gets the time
// that a sync takes.
func TestWordThatIsOldIsAskedForAnew(t *testing.T) {
	seconds := func(n int) *metav1.MicroTime {
		return &metav1.MicroTime{Time: noon.Add(time.Duration(n) * time.Second)}
	}
	tests := []struct {
		name   string
		toldAt int // in seconds from now; 0: it does not matter
		poked  *metav1.MicroTime
		state  string
		warm   bool
		poke   bool
		again  time.Time
	}{
		{"it does not matter", 0, nil, "HEALTHY", true, false, time.Time{}},
		{"not long ago", -299, nil, "HEALTHY", true, false, time.Time{}},
		{"long ago", -300, nil, "HEALTHY", false, true, noon},
		{"long ago, and the last poke was before that", -300, seconds(-301), "HEALTHY", false, true, noon},
		{"asked just now", -3600, seconds(-9), "HEALTHY", false, false, seconds(1).Time},
		{"asked, and it stands", -3600, seconds(-10), "HEALTHY", true, false, time.Time{}},
		{"asked, and it does not", -3600, seconds(-10), "UNHEALTHY", false, true, seconds(50).Time},
		{"long ago, and so was the last poke", -3600, seconds(-300), "HEALTHY", false, true, noon},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := warmLook()
			l.Freshness, l.Known.PokedAt, l.Known.Pokes, l.Groups[0].State = 5*time.Minute, tt.poked, 8, tt.state
			if tt.toldAt != 0 {
				l.ToldAt = seconds(tt.toldAt).Time
			}
			w := l.Judge()
			if w.Warm != tt.warm || w.PokeAt.IsZero() == tt.poke || !w.Again.Equal(tt.again) || len(w.Lacking) > 1 {
				t.Errorf("warm %v, poke at %v, again at %v; lacking %q", w.Warm, w.PokeAt, w.Again, texts(w.Lacking))
			}
		})
	}
}

// A shorter settle time shortens everything that is measured by it.
func TestSettleTimeIsTheOneThatIsSet(t *testing.T) {
	l := warmLook()
	l.Settle, l.Freshness, l.ToldAt = 6*time.Second, time.Minute, noon.Add(-time.Hour)
	for after, warm := range map[time.Duration]bool{1999 * time.Millisecond: false, 2 * time.Second: true} {
		l.Known.PokedAt = &metav1.MicroTime{Time: noon.Add(-after)}
		if w := l.Judge(); w.Warm != warm {
			t.Errorf("asked %s ago: warm is %v, lacking %q", after, w.Warm, texts(w.Lacking))
		}
	}
}

// Without a report per pod, the next look is when the wait or the next poke is due.
func TestUntoldPodsAreLookedAtAgainWhenSomethingIsDue(t *testing.T) {
	at := func(s int) *metav1.MicroTime {
		return &metav1.MicroTime{Time: noon.Add(time.Duration(s) * time.Second)}
	}
	never := time.Time{}
	for name, tt := range map[string]struct {
		since, poked *metav1.MicroTime
		pokes        int32
		healthySince *metav1.MicroTime
		poke, again  time.Time
	}{
		"nothing was asked yet":             {nil, nil, 0, nil, noon, noon},
		"asked just now":                    {nil, at(0), 1, nil, at(15).Time, at(15).Time},
		"asked a moment ago":                {nil, at(-1), 1, at(0), at(14).Time, at(14).Time},
		"asked before it was found healthy": {at(-20), at(-25), 5, at(-20), at(35).Time, at(10).Time},
		"asked since it was found healthy":  {at(-20), at(-5), 2, at(-20), never, at(10).Time},
		"asked at once":                     {at(-5), at(-6), 1, at(-5), at(9).Time, at(9).Time},
		"long found healthy, asked before":  {at(-40), at(-41), 5, at(-40), at(19).Time, at(19).Time},
	} {
		l := warmLook()
		for i := range l.Pods {
			l.Pods[i].Gates, l.Pods[i].ReadySince = nil, noon.Add(-time.Hour)
		}
		l.Pods = append(l.Pods, Pod{Name: "g0", Terminating: true, ReadySince: noon}) // it does not matter
		l.Known = v1alpha1.RouteStatus{HealthySince: tt.since, PokedAt: tt.poked, Pokes: tt.pokes}
		w := l.Judge()
		if w.Warm || !w.PokeAt.Equal(tt.poke) || !w.Again.Equal(tt.again) || (w.HealthySince == nil) != (tt.healthySince == nil) ||
			w.HealthySince != nil && !w.HealthySince.Equal(tt.healthySince) {
			t.Errorf("%s: warm %v, since %v, poke at %s, again at %s", name, w.Warm, w.HealthySince, w.PokeAt, w.Again)
		}
	}
}

// If a pod's gate was opened because nothing named its Service, the load balancer never reports
// on it again.
func TestPodLetThroughUnreferencedIsTold(t *testing.T) {
	for name, tt := range map[string]struct {
		gates []Gate
		want  bool
	}{
		"no gate":             {nil, false},
		"another gate":        {[]Gate{{Type: "example.com/warm", True: true, Message: unreferencedMessage}}, false},
		"closed":              {gate(false, reasonReady, unreferencedMessage), false},
		"open, found healthy": {gate(true, reasonReady, healthyMessage), false},
		"open, unreferenced":  {gate(true, reasonReady, unreferencedMessage), true},
	} {
		if got := LetThroughUnreferenced(podWith("g1", tt.gates)); got != tt.want {
			t.Errorf("%s: let through is %v", name, got)
		}
	}
}

// A failing controller is urged less and less often, and rarely if its event budget is nearly
// spent: the switch needs one event.
func TestControllerThatFailedIsUrgedLessAndLess(t *testing.T) {
	for normals, want := range map[int][]int{0: {5, 10, 20, 40, 80, 140, 200}, scarce: {5, 65, 125, 185}} {
		var got []int
		poked := noon.Add(-time.Second)
		for s := range 210 {
			now := noon.Add(time.Duration(s) * time.Second)
			if !now.Before(News{Normals: normals}.UrgeAt(noon, poked, 0)) {
				got, poked = append(got, s), now
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d events spent the controller is poked after %v s, want %v", normals, got, want)
		}
	}
}

// The time between pokes depends on how long a load balancer may take.
func TestPokesAreAsRareAsTheLoadBalancerIsSlow(t *testing.T) {
	for _, tt := range []struct {
		normals      int
		settle, rare time.Duration
		poked, urge  time.Duration // since the routes are as they are
	}{
		{scarce - 1, 0, 0, 0, 5 * time.Second},
		{scarce, 0, time.Minute, 0, 5 * time.Second},
		{scarce, 6 * time.Second, 12 * time.Second, 0, time.Second},
		{0, 6 * time.Second, 0, time.Second, 2 * time.Second},
		{0, 6 * time.Second, 0, 4 * time.Second, 8 * time.Second},
		{0, 6 * time.Second, 0, time.Minute, 72 * time.Second},
		{scarce, 6 * time.Second, 12 * time.Second, time.Second, 13 * time.Second},
		{scarce, 0, time.Minute, time.Second, 61 * time.Second},
	} {
		n := News{Normals: tt.normals}
		if got := n.RarePokes(tt.settle); got != tt.rare {
			t.Errorf("%+v: rare pokes are %s apart", tt, got)
		}
		if got := n.UrgeAt(noon, noon.Add(tt.poked), tt.settle).Sub(noon); got != tt.urge {
			t.Errorf("%+v: the controller is poked after %s", tt, got)
		}
	}
}

// A held colour needs neither a poke nor a wait: going back to it is instant.
func TestHeldColourIsWarmAtOnce(t *testing.T) {
	l := warmLook()
	l.Now = noon.Add(time.Hour)
	if w := l.Judge(); !w.Warm || !w.PokeAt.IsZero() || !w.Again.IsZero() {
		t.Errorf("a held colour: %+v", w)
	}
}

// Going back to pods that had users does not wait for what only new ones need.
func TestRollbackToAHeldColourNeedsReadyPodsOnly(t *testing.T) {
	tests := []struct {
		name   string
		change func(*WarmLook)
		warm   bool
		// lacking and waived are parts of the text.
		lacking, waived string
	}{
		{"nothing is missing", func(*WarmLook) {}, true, "", ""},
		{"no group is known", func(l *WarmLook) { l.Groups = nil }, true, "", "names no port"},
		{
			"the group is not in the routes", func(l *WarmLook) { l.Groups[0].Routed, l.Groups[0].State = false, "UNHEALTHY" }, true, "",
			"is not among the backends",
		},
		{"the group is in trouble", func(l *WarmLook) { l.Groups[0].Trouble = "its condition Synced is False" }, true, "", "Synced is False"},
		{"the group was not healthy", func(l *WarmLook) { l.Groups[0].State = "Unknown" }, true, "", `reported "Unknown" for ` + neg},
		{"a pod's gate tells nothing", func(l *WarmLook) { l.Pods[1].Gates = nil }, true, "", ""},
		{"a pod that ends came after users had left", func(l *WarmLook) {
			l.Pods = append(l.Pods, Pod{Name: "g0", Terminating: true, Created: noon})
			l.Groups[0].Routed = false
		}, true, "", "is not among the backends"},
		{"a pod came as users left", func(l *WarmLook) {
			l.Pods[1].Created, l.Groups[0].Routed = l.LeftAt, false
		}, false, "is not among the backends", ""},
		{"a pod is not ready", func(l *WarmLook) { l.Pods[1].Ready, l.Pods[1].ContainersReady = false, false }, false, "pod g2 is not ready", ""},
		{"a pod is no endpoint", func(l *WarmLook) { l.Endpoints = []string{"g1"} }, false, "pod g2 is not a ready endpoint", ""},
		{"there are no pods", func(l *WarmLook) { l.Pods = nil }, false, "there are no pods", ""},
		{"a deploy", func(l *WarmLook) { l.Rollback, l.Groups = false, nil }, false, "names no port", ""},
		{
			"a reference that was gone", func(l *WarmLook) { l.Referenced, l.Groups[0].Routed = false, false }, false, "is not among the backends",
			"",
		},
		{"it was shrunk", func(l *WarmLook) { l.LeftAt, l.Groups[0].Routed = time.Time{}, false }, false, "is not among the backends", ""},
		{"a pod came after users had left", func(l *WarmLook) {
			l.Pods[1].Created, l.Groups[0].Routed = noon, false
		}, false, "is not among the backends", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := warmLook()
			l.Rollback, l.Referenced, l.LeftAt = true, true, noon.Add(-10*time.Second)
			tt.change(&l)
			w := l.Judge()
			if got := texts(w.Lacking); w.Warm != tt.warm || w.Warm != (got == "") || !strings.Contains(got, tt.lacking) {
				t.Errorf("warm = %v, lacking %q, want %v, %q", w.Warm, got, tt.warm, tt.lacking)
			}
			if got := texts(w.Waived); !strings.Contains(got, tt.waived) || (tt.waived == "") != (len(w.Waived) == 0) || len(w.Waived) > 1 {
				t.Errorf("waived %q, want %q alone", got, tt.waived)
			}
			if w.Warm && len(w.Unseen) > 0 {
				t.Errorf("for pods that had users the text is %q", texts(w.Unseen))
			}
			if w.Warm && (!w.PokeAt.IsZero() || !w.Again.IsZero()) {
				t.Errorf("poke at %v, next look at %v", w.PokeAt, w.Again)
			}
		})
	}
}

func TestJudgeElsewhereGoesByEndpoints(t *testing.T) {
	l := warmLook()
	l.LoadBalancer, l.Groups = v1alpha1.LoadBalancerOther, nil
	for i := range l.Pods {
		l.Pods[i].Gates = nil
	}
	if w := l.Judge(); !w.Warm || len(w.Unseen) > 0 {
		t.Errorf("lacking %q, unseen %q", texts(w.Lacking), texts(w.Unseen))
	}
	l.Pods[0].Gates = gate(false, "", "") // nobody opens it any more
	if w := l.Judge(); !w.Warm {
		t.Errorf("a gate of Google's: lacking %q", texts(w.Lacking))
	}
	l.Endpoints = []string{"g2"}
	if w := l.Judge(); w.Warm || w.Good != 1 || !w.PokeAt.IsZero() {
		t.Errorf("of two endpoints one is healthy: %+v", w)
	}
}
