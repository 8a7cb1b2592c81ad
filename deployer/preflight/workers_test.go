package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// withWorker gives the application a worker as it should be.
func (s *situation) withWorker(change func(blue, green *Worker)) {
	s.app.Spec.Workers = append(s.app.Spec.Workers, v1alpha1.WorkerSpec{Name: "mail"})
	side := func(c v1alpha1.Color, size int32) Worker {
		return Worker{
			Name: "mail", Color: c, Deployment: "app-mail-" + string(c), Exists: true, Replicas: size,
			Labels: map[string]string{"app": "mail", "version": string(c)}, Containers: []string{"worker"}, Colored: true,
		}
	}
	blue, green := side(v1alpha1.Blue, 2), side(v1alpha1.Green, 0)
	change(&blue, &green)
	s.facts.Workers = []Worker{blue, green}
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	onBothSides := fault("WorkerContainer", application, "spec.workers[mail].container")
	const side = "spec.workers[mail].green.deployment"
	for name, tt := range map[string]struct {
		change func(*situation, *Worker, *Worker)
		want   []found
	}{
		"as it should be": {func(*situation, *Worker, *Worker) {}, nil},
		"of two containers, none is named": {func(_ *situation, blue, green *Worker) {
			blue.Containers, green.Containers = []string{"worker", "proxy"}, []string{"worker", "proxy"}
		}, append(onBothSides, onBothSides...)},
		"of two containers, the application's": {func(s *situation, blue, green *Worker) {
			s.app.Spec.Container, blue.Containers, green.Containers = "worker", []string{"worker", "proxy"}, []string{"worker", "proxy"}
		}, nil},
		"a container that does not exist": {func(s *situation, _, _ *Worker) {
			s.app.Spec.Workers[0].Container = "web"
		}, append(onBothSides, onBothSides...)},
		"one Deployment for both sides": {func(_ *situation, _, green *Worker) { green.Deployment = "app-mail-blue" }, append(
			fault("WorkerShared", application, "spec.workers[mail].blue.deployment"), fault("WorkerShared", application, side)...)},
		"the Deployment of a colour": {
			func(_ *situation, _, green *Worker) { green.Deployment = "app-green" }, fault("WorkerShared", application, side),
		},
		"another application's, too": {
			func(_ *situation, _, green *Worker) { green.Others = []string{"other"} }, fault("WorkerShared", application, side),
		},
		"users reach it": {func(s *situation, blue, _ *Worker) {
			s.blue().Spec.Selector = map[string]string{"version": "blue"} // too little
		}, fault("WorkerSelected", "deployment shop/app-mail-blue", "spec.template.metadata.labels")},
		"it runs on both sides": {
			func(_ *situation, _, green *Worker) { green.Replicas = 1 },
			warning("WorkerIdle", "deployment shop/app-mail-green", "spec.replicas"),
		},
		"it runs on both sides, each with a queue": {func(s *situation, _, green *Worker) {
			green.Replicas, s.app.Spec.Workers[0].Queue = 1, &v1alpha1.QueueSpec{}
		}, warning("WorkerIdle", "deployment shop/app-mail-green", "spec.replicas")},
		"it works on until its queue is empty": {func(s *situation, _, green *Worker) {
			green.Replicas, s.app.Spec.Workers[0].Queue, s.app.Status.WorkersOwed = 1, &v1alpha1.QueueSpec{}, &v1alpha1.WorkersOwed{}
		}, nil},
		"it runs on both sides after a release, and both share a queue": {func(s *situation, _, green *Worker) {
			green.Replicas, s.app.Status.WorkersOwed = 1, &v1alpha1.WorkersOwed{}
		}, warning("WorkerIdle", "deployment shop/app-mail-green", "spec.replicas")},
		"it runs on both sides during a release": {func(s *situation, _, green *Worker) {
			green.Replicas, s.app.Status.Active = 1, &v1alpha1.Claim{}
		}, nil},
		"the idle side is missing, and is made": {func(_ *situation, _, green *Worker) { green.Exists = false }, nil},
		"the idle side is missing, and cannot be made": {func(_ *situation, blue, green *Worker) {
			green.Exists, blue.Colored = false, false
		}, fault("WorkerMissing", application, side)},
		"the live side is missing": {
			func(_ *situation, blue, _ *Worker) { blue.Exists = false },
			warning("WorkerMissing", application, "spec.workers[mail].blue.deployment"),
		},
		"both are missing": {func(_ *situation, blue, green *Worker) {
			blue.Exists, green.Exists = false, false
		}, fault("WorkerMissing", application, "spec.workers[mail].blue.deployment")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good()
			s.withWorker(func(blue, green *Worker) { tt.change(s, blue, green) })
			s.expect(t, tt.want)
		})
	}
}

// expect checks the findings, and that their commands work.
func (s *situation) expect(t *testing.T, want []found) {
	t.Helper()
	var got []found
	for _, f := range s.check() {
		got = append(got, found{f.Severity, f.Reason, f.Object, f.Field})
		expectCommands(t, f)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestSingletons(t *testing.T) {
	t.Parallel()
	const field = "spec.singletons[beat]"
	for name, tt := range map[string]struct {
		change func(*situation, *Singleton)
		want   []found
	}{
		"as it should be":   {func(*situation, *Singleton) {}, nil},
		"it does not exist": {func(_ *situation, s *Singleton) { s.Exists = false }, fault("SingletonMissing", application, field)},
		"another application's": {
			func(_ *situation, s *Singleton) { s.Others = []string{"other"} }, fault("SingletonShared", application, field),
		},
		"a worker's": {func(s *situation, _ *Singleton) {
			s.withWorker(func(blue, _ *Worker) { blue.Deployment = "beat" })
		}, fault("SingletonShared", application, field)},
		"two versions would run": {
			func(_ *situation, s *Singleton) { s.Strategy = "RollingUpdate" },
			fault("SingletonStrategy", "deployment shop/beat", "spec.strategy.type"),
		},
		"a container that does not exist": {func(s *situation, _ *Singleton) {
			s.app.Spec.Singletons[0].Container = "web"
		}, fault("SingletonContainer", application, field+".container")},
		"of two containers, none is named": {func(_ *situation, s *Singleton) {
			s.Containers = []string{"beat", "proxy"}
		}, fault("SingletonContainer", application, field+".container")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good()
			s.app.Spec.Singletons = []v1alpha1.SingletonSpec{{Deployment: "beat"}}
			one := Singleton{Deployment: "beat", Exists: true, Strategy: "Recreate", Containers: []string{"beat"}}
			tt.change(s, &one)
			s.facts.Singletons = []Singleton{one}
			s.expect(t, tt.want)
		})
	}
}

func TestCronJobs(t *testing.T) {
	t.Parallel()
	const field = "spec.cronJobs[report]"
	for name, tt := range map[string]struct {
		change func(*situation, *CronJob)
		want   []found
	}{
		"as it should be":   {func(*situation, *CronJob) {}, nil},
		"it does not exist": {func(_ *situation, j *CronJob) { j.Exists = false }, fault("CronJobMissing", application, field)},
		"it may not be read": {
			func(_ *situation, j *CronJob) { j.Exists, j.Unread = false, true }, fault("CronJobUnread", application, field),
		},
		"another application's": {
			func(_ *situation, j *CronJob) { j.Others = []string{"other"} }, fault("CronJobShared", application, field),
		},
		"of two containers, none is named": {func(_ *situation, j *CronJob) {
			j.Containers = []string{"report", "proxy"}
		}, fault("CronJobContainer", application, field+".container")},
		"of two containers, one is named": {func(s *situation, j *CronJob) {
			s.app.Spec.CronJobs[0].Container, j.Containers = "report", []string{"report", "proxy"}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := good()
			s.app.Spec.CronJobs = []v1alpha1.CronJobSpec{{Name: "report"}}
			one := CronJob{Name: "report", Exists: true, Containers: []string{"report"}}
			tt.change(s, &one)
			s.facts.CronJobs = []CronJob{one}
			s.expect(t, tt.want)
		})
	}
}
