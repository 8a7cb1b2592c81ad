package track

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestStepsAreGivenTheirTime(t *testing.T) {
	minutes := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Minute} }
	bg := &v1alpha1.BlueGreen{}
	bg.Spec.Build.Timeout, bg.Spec.Gate.Timeout = minutes(30), minutes(5)
	bg.Spec.Deadlines = v1alpha1.Deadlines{Stage: minutes(10), Warm: minutes(11), Confirm: minutes(12)}
	baseline := bg.Spec.Proof.BaselineTime()
	for s, want := range map[v1alpha1.Step]time.Duration{
		v1alpha1.StepBuild: 90 * time.Minute, v1alpha1.StepAttach: 10 * time.Minute, v1alpha1.StepStage: 10 * time.Minute,
		v1alpha1.StepSize: 10 * time.Minute, v1alpha1.StepDiscard: 10 * time.Minute, v1alpha1.StepWarm: 11 * time.Minute,
		v1alpha1.StepVerify: 6 * time.Minute, v1alpha1.StepSwitch: 12*time.Minute + baseline, v1alpha1.StepConfirm: 12 * time.Minute,
		v1alpha1.StepPromote: 0, v1alpha1.StepExpand: 0, v1alpha1.StepSoak: 0, v1alpha1.StepRestore: 0,
	} {
		if got := Limit(bg, s); got != want {
			t.Errorf("%s may take %s, want %s", s, got, want)
		}
		if Overdue(bg, s, epoch, epoch.Add(want)) {
			t.Errorf("%s is overdue before its time is up", s)
		}
		if got := Overdue(bg, s, epoch, epoch.Add(want+time.Hour)); got != (want > 0) {
			t.Errorf("%s is overdue: %v", s, got)
		}
	}
}

func TestLateStepsAreExplained(t *testing.T) {
	gce := func(_ *v1alpha1.Release, o *Observed) { o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE }
	waits := func(_ *v1alpha1.Release, o *Observed) {
		o.Target.Pods = []Pod{{Name: "g1", ContainersReady: true, Gates: []Gate{{Type: readinessGate}}}}
	}
	own := func(r *v1alpha1.Release, o *Observed) { r.Name, o.Target.Release = "app-1", "app-1" }
	others := func(r *v1alpha1.Release, _ *Observed) { r.Name = "app-1" }
	attached := func(_ *v1alpha1.Release, o *Observed) {
		o.Routes.Standby = map[v1alpha1.Color][]Backend{v1alpha1.Green: {{}}}
	}
	crash := Shown{Evidence: []v1alpha1.Evidence{{Pod: "g1", Reason: "CrashLoopBackOff"}}}
	noRoom := Shown{Evidence: []v1alpha1.Evidence{{Pod: "g1", Reason: "Unschedulable"}}}
	type change = func(*v1alpha1.Release, *Observed)
	for name, tt := range map[string]struct {
		step    v1alpha1.Step
		changes []change
		found   Shown
		asked   Lateness
		class   v1alpha1.FailureClass
		lacks   bool // the load balancer's report is among the evidence
	}{
		"pods crash":               {v1alpha1.StepStage, nil, crash, Lateness{Pods: true}, v1alpha1.FaultRelease, false},
		"pods crash on Google's":   {v1alpha1.StepStage, []change{gce}, crash, Lateness{Pods: true}, v1alpha1.FaultRelease, false},
		"pods of a rollback crash": {v1alpha1.StepSize, nil, crash, Lateness{Pods: true}, v1alpha1.FaultRelease, false},
		"there is no room":         {v1alpha1.StepStage, nil, noRoom, Lateness{Pods: true}, v1alpha1.FaultWorld, false},
		"nobody else's seed":       {v1alpha1.StepAttach, []change{others}, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
		"the seed crashes":         {v1alpha1.StepAttach, []change{own}, crash, Lateness{Pods: true}, v1alpha1.FaultRelease, false},
		"the reference is there":   {v1alpha1.StepAttach, []change{own, attached}, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
		"another load balancer":    {v1alpha1.StepWarm, nil, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
		"not warm, nor is live":    {v1alpha1.StepWarm, []change{gce}, Shown{}, Lateness{LoadBalancer: true}, v1alpha1.FaultWorld, true},
		"not warm, and live is": {
			v1alpha1.StepWarm,
			[]change{gce},
			Shown{LiveHealthy: true},
			Lateness{LoadBalancer: true},
			v1alpha1.FaultRelease, true,
		},
		"pods wait, and live is": {
			v1alpha1.StepStage,
			[]change{gce, waits},
			Shown{LiveHealthy: true},
			Lateness{Pods: true, LoadBalancer: true},
			v1alpha1.FaultRelease, true,
		},
		"pods wait, nor is live": {
			v1alpha1.StepStage,
			[]change{gce, waits},
			crash,
			Lateness{Pods: true, LoadBalancer: true},
			v1alpha1.FaultWorld, true,
		},
		"pods wait elsewhere":        {v1alpha1.StepStage, []change{waits}, crash, Lateness{Pods: true}, v1alpha1.FaultRelease, false},
		"a person's time is theirs":  {v1alpha1.StepPromote, []change{gce}, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
		"a build's time is its own":  {v1alpha1.StepBuild, []change{gce}, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
		"the gate was never reached": {v1alpha1.StepVerify, []change{gce}, Shown{}, Lateness{}, v1alpha1.FaultWorld, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, o := ready()
			for _, c := range tt.changes {
				c(r, &o)
			}
			var asked Lateness
			if late := RowOf(tt.step).Late; late != nil {
				asked = late(r, o)
			}
			if asked != tt.asked {
				t.Errorf("the wait is %+v, want %+v", asked, tt.asked)
			}
			b := Explain(asked, r, o, tt.found)
			if len(tt.found.Evidence) > 0 &&
				!slices.ContainsFunc(b.Evidence, func(e v1alpha1.Evidence) bool { return e.Pod == "g1" && e.Reason == tt.found.Evidence[0].Reason }) {
				t.Errorf("the pods' evidence is missing: %+v", b.Evidence)
			}
			if told := len(b.Evidence) > len(tt.found.Evidence); b.Class != tt.class || told != tt.lacks || (b.Hint != "") != tt.lacks {
				t.Errorf("the failure is put on the %s, with %v and the hint %q", b.Class, b.Evidence, b.Hint)
			}
		})
	}
}
