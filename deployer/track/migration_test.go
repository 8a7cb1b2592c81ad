package track

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The outcomes of a migration.
const (
	hasChanged  = v1alpha1.MigrationChanged
	isUnchanged = v1alpha1.MigrationUnchanged
	hasFailed   = v1alpha1.MigrationFailed
	notRun      = v1alpha1.MigrationNotRun
	unknown     = v1alpha1.MigrationUnknown
)

// recorded is a migration whose Job was resumed at t0, changed by the test.
func recorded(change ...func(*v1alpha1.MigrationStatus)) *v1alpha1.MigrationStatus {
	s := &v1alpha1.MigrationStatus{
		Job: "shop-expand-1", IntendedAt: metav1.NewMicroTime(t0), TemplateHash: "h", UID: "uid", ResumedAt: &metav1.Time{Time: t0},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func intended(s *v1alpha1.MigrationStatus) { s.UID, s.ResumedAt = "", nil }
func adopted(s *v1alpha1.MigrationStatus)  { s.ResumedAt = nil }

func startedAt(after time.Duration) func(*v1alpha1.MigrationStatus) {
	return func(s *v1alpha1.MigrationStatus) { s.StartedAt = &metav1.Time{Time: t0.Add(after)} }
}

func stoppedAs(o v1alpha1.MigrationOutcome) func(*v1alpha1.MigrationStatus) {
	return func(s *v1alpha1.MigrationStatus) { s.Outcome, s.Message = o, "because" }
}

// job is the Job of that migration, with its pods.
func job(pods ...MigrationPod) Migration {
	return Migration{Exists: true, UID: "uid", ResourceVersion: "1", Hash: "h", Resumed: true, Pods: pods}
}

// suspended is it before it was let go.
func suspended() Migration {
	return Migration{Exists: true, UID: "uid", ResourceVersion: "1", Hash: "h", Suspended: true}
}

func with(m Migration, change func(*Migration)) Migration {
	change(&m)
	return m
}

func complete(m *Migration)   { m.Complete = true }
func failedJob(m *Migration)  { m.Failed, m.Reason = true, "BackoffLimitExceeded" }
func stoppedJob(m *Migration) { m.Suspended = true }
func otherJob(m *Migration)   { m.UID = "other" }
func deletedJob(m *Migration) { m.Exists, m.UID = false, "" }
func otherImage(m *Migration) { m.Hash = "other" }
func neverLetGo(m *Migration) { m.Resumed = false }
func runsPod() MigrationPod {
	return MigrationPod{Name: "p", Placed: true, StartedAt: t0.Add(time.Minute)}
}

func pendingPod() MigrationPod { return MigrationPod{Name: "p", Waiting: "0/3 nodes are available"} }

func pullsPod() MigrationPod {
	return MigrationPod{Name: "p", Placed: true, Waiting: "container app: ErrImagePull"}
}

func endedPod(code int32, message string) MigrationPod {
	return MigrationPod{
		Name: "p", Placed: true, Ended: true, StartedAt: t0.Add(time.Minute), ExitCode: &code, Container: "app", Message: message,
	}
}

// A Job runs once, and nothing is claimed of it that nobody saw.
func TestJudgeMigration(t *testing.T) {
	t.Parallel()
	limits := MigrationLimits{Timeout: 10 * time.Minute, Pending: 5 * time.Minute}
	unrun := MigrationPod{Name: "p", Placed: true, Ended: true, Waiting: "Evicted"}
	lost := MigrationPod{Name: "p", Placed: true, Ended: true, Lost: true}
	for name, c := range map[string]struct {
		s     *v1alpha1.MigrationStatus
		m     Migration
		after time.Duration
		want  MigrationStep
		// outcome, world and message of an end or a stop; at is when a limit ends.
		outcome v1alpha1.MigrationOutcome
		world   bool
		message string
		at      time.Duration
	}{
		"nothing is recorded":           {s: nil, want: MigrationIntend},
		"the intent":                    {s: recorded(intended), want: MigrationCreate},
		"a Job whose creation was lost": {s: recorded(intended), m: suspended(), want: MigrationAdopt},
		"a Job of an older spec":        {s: recorded(intended), m: with(suspended(), otherImage), want: MigrationRemake},
		"a Job that somebody let go":    {s: recorded(intended), m: with(job(), otherImage), want: MigrationAdopt},
		"its UID":                       {s: recorded(adopted), m: suspended(), want: MigrationLetGo},
		"the intent to resume it":       {s: recorded(), m: suspended(), want: MigrationResume},
		"it was resumed": {
			s: recorded(), m: job(), want: MigrationWait, message: "has not created its pod", at: 5 * time.Minute,
		},
		"somebody resumed it":           {s: recorded(), m: with(job(), neverLetGo), want: MigrationWait, at: 5 * time.Minute},
		"its UID is of no Job":          {s: recorded(adopted), want: MigrationEnd, outcome: unknown, message: "was deleted"},
		"somebody replaced the Job":     {s: recorded(), m: with(job(), otherJob), want: MigrationEnd, outcome: unknown},
		"its Job is gone, its pod runs": {s: recorded(), m: with(job(runsPod()), deletedJob), want: MigrationWait},
		"its Job is gone, its pod ended": {
			s: recorded(), m: with(job(endedPod(0, "")), deletedJob), want: MigrationEnd, outcome: unknown,
		},

		"no pod for too long": {
			s: recorded(), m: job(), after: 5 * time.Minute, want: MigrationStop, outcome: notRun, world: true,
			message: "spec.deadlines.stage", at: 5 * time.Minute,
		},
		"no node for too long": {
			s: recorded(), m: job(pendingPod()), after: 5 * time.Minute, want: MigrationStop, outcome: notRun, world: true,
			message: "0/3 nodes", at: 5 * time.Minute,
		},
		"no image for too long, where it might come at any moment": {
			s: recorded(), m: job(pullsPod()), after: 5 * time.Minute, want: MigrationStop, outcome: unknown, world: true,
			message: "ErrImagePull", at: 5 * time.Minute,
		},
		"a wait within the limit": {
			s: recorded(), m: job(pullsPod()), after: 299 * time.Second, want: MigrationWait, message: "ErrImagePull", at: 5 * time.Minute,
		},
		"no limit for the start": {s: recorded(adopted), m: job(), after: time.Hour, want: MigrationWait},

		"it runs": {
			s: recorded(), m: job(runsPod()), after: 6 * time.Minute, want: MigrationWait, at: 11 * time.Minute,
		},
		"the timeout is from its start": {
			s: recorded(startedAt(time.Minute)), m: job(runsPod()), after: 10 * time.Minute, want: MigrationWait, at: 11 * time.Minute,
		},
		"the recorded start counts": {
			s: recorded(startedAt(0)), m: job(runsPod()), after: 9 * time.Minute, want: MigrationWait, at: 10 * time.Minute,
		},
		"its pod is gone, its Job is not": {s: recorded(startedAt(0)), m: job(), after: time.Hour, want: MigrationWait},
		"the timeout": {
			s: recorded(), m: job(runsPod()), after: 11 * time.Minute, want: MigrationStop, outcome: hasFailed,
			message: "did not end within 10m0s", at: 11 * time.Minute,
		},
		"the timeout, but it has ended": {s: recorded(), m: job(endedPod(0, "")), after: time.Hour, want: MigrationWait},

		"exit code 0": {
			s: recorded(), m: with(job(endedPod(0, "")), complete), want: MigrationEnd, outcome: hasChanged,
		},
		"unchanged": {
			s: recorded(), m: with(job(endedPod(0, "unchanged\n")), complete), want: MigrationEnd, outcome: isUnchanged,
		},
		"another message": {
			s: recorded(), m: with(job(endedPod(0, "unchanged?")), complete), want: MigrationEnd, outcome: hasChanged,
		},
		"complete, and its pod is gone": {s: recorded(), m: with(job(), complete), want: MigrationEnd, outcome: hasChanged},
		"complete, and a pod runs": {
			s: recorded(), m: with(job(endedPod(0, ""), runsPod()), complete), want: MigrationWait, at: 11 * time.Minute,
		},
		"unchanged does not count with another code": {
			s: recorded(), m: with(job(endedPod(1, "unchanged")), failedJob), want: MigrationEnd, outcome: hasFailed,
		},
		"failed, and its pod is gone": {
			s: recorded(), m: with(job(), failedJob), want: MigrationEnd, outcome: unknown, message: "BackoffLimitExceeded",
		},
		"failed, and its container vanished": {
			s: recorded(), m: with(job(lost), failedJob), want: MigrationEnd, outcome: unknown,
		},
		"failed, and its container vanished after its start": {
			s: recorded(startedAt(0)), m: with(job(unrun), failedJob), want: MigrationEnd, outcome: unknown,
		},
		"failed before its command started": {
			s: recorded(), m: with(job(unrun), failedJob), want: MigrationEnd, outcome: notRun, world: true, message: "Evicted",
		},
		"its command does not exist": {
			s: recorded(), m: with(job(MigrationPod{
				Name: "p", Placed: true, Ended: true, ExitCode: new(int32(128)), Unstartable: true, Message: "StartError no such file",
			}), failedJob), want: MigrationEnd, outcome: notRun, message: "no such file",
		},

		"stopped, and its pod ends": {
			s: recorded(stoppedAs(hasFailed)), m: with(job(runsPod()), stoppedJob), want: MigrationWait,
		},
		"stopped after its timeout": {
			s: recorded(startedAt(0), stoppedAs(hasFailed)), m: with(job(), stoppedJob), want: MigrationEnd, outcome: hasFailed, message: "because",
		},
		"stopped without a pod": {
			s: recorded(stoppedAs(notRun)), m: with(job(), stoppedJob), want: MigrationEnd, outcome: notRun, message: "because",
		},
		"stopped at the moment of its start": {
			s: recorded(startedAt(0), stoppedAs(notRun)), m: with(job(), stoppedJob), want: MigrationEnd, outcome: unknown,
		},
		"stopped on a node, and its pod vanished": {
			s: recorded(stoppedAs(unknown)), m: with(job(), stoppedJob), want: MigrationEnd, outcome: unknown,
		},
		"stopped on a node, and its pod shows no start": {
			s: recorded(stoppedAs(unknown)), m: with(job(unrun), stoppedJob), want: MigrationEnd, outcome: notRun,
			message: "because",
		},
		"stopped on a node, and its container vanished": {
			s: recorded(stoppedAs(unknown)), m: with(job(lost), stoppedJob), want: MigrationEnd, outcome: unknown,
		},
		"suspended by somebody": {
			s: recorded(startedAt(0)), m: with(job(), stoppedJob), want: MigrationEnd, outcome: unknown,
		},
		"suspended by somebody, nothing is seen": {s: recorded(), m: with(job(), stoppedJob), want: MigrationEnd, outcome: unknown},
		"suspended by somebody before its start": {
			s: recorded(), m: with(job(unrun), stoppedJob), want: MigrationEnd, outcome: notRun, message: "before its command started",
		},
	} {
		v := JudgeMigration(c.s, c.m, t0.Add(c.after), limits)
		var at time.Duration
		if !v.At.IsZero() {
			at = v.At.Sub(t0)
		}
		if v.Step != c.want || v.Outcome != c.outcome || v.World != c.world || !strings.Contains(v.Message, c.message) || at != c.at {
			t.Errorf("%s: judged %+v", name, v)
		}
	}
}

// What a release that takes no more steps has not resumed never runs; what runs is left alone.
func TestVoidMigration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s       *v1alpha1.MigrationStatus
		m       Migration
		want    MigrationStep
		outcome v1alpha1.MigrationOutcome
	}{
		"no Job":                     {recorded(intended), Migration{}, MigrationEnd, notRun},
		"a Job that nobody recorded": {recorded(intended), suspended(), MigrationRemake, ""},
		"a suspended Job":            {recorded(adopted), suspended(), MigrationRemake, ""},
		"about to be resumed":        {recorded(), suspended(), MigrationRemake, ""},
		"let go by somebody":         {recorded(intended), job(), MigrationAdopt, ""},
		"it runs":                    {recorded(), job(runsPod()), MigrationWait, ""},
		"it has ended":               {recorded(), with(job(endedPod(0, "")), complete), MigrationEnd, hasChanged},
	} {
		if v := VoidMigration(c.s, c.m, t0.Add(2*time.Minute), MigrationLimits{}); v.Step != c.want || v.Outcome != c.outcome {
			t.Errorf("%s: judged %+v", name, v)
		}
	}
}
