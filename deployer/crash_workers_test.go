package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// cellsOf are the journeys with cells for some of their effects only.
var cellsOf = map[string]func(effect string) bool{
	"deploy with a worker": ofWorkers, "undo with a worker": ofWorkers, "restore with a worker": ofTasks, "rollback with a worker": ofWorkers,
	"deploy with other images": ofImages, "rollback with other images": ofImages,
	"deploy with a queue": ofQueues, "deploy with KEDA": ofScalers,
	"late rollback with a worker": ofOwed, "interference with a worker": ofOwed,
	"deploy with an expand": ofMigrations, "an expand takes too long": ofMigrations, "the live version suffers": ofMigrations,
	"contract": ofMigrations, "restore": ofRestores,
}

var workJourneys = []journey{workersDeploy, workersUndo, workersRestore, workersRollback, queueDeploy, scalersDeploy}

// ofWorkers: an effect concerns workers, singletons or CronJobs, or what comes right after them.
func ofWorkers(effect string) bool {
	return ofTasks(effect) || slices.Contains([]string{
		"release: WorkersIntendedAt", "release: WorkersAt", "release: SwitchIntendedAt", "release: SwitchedAt", "release: SingletonsIntendedAt",
		"release: SingletonsAt",
	}, effect)
}

// ofTasks: an effect writes a worker, a singleton or a CronJob, or records that an undo has done so.
func ofTasks(effect string) bool {
	return strings.Contains(effect, "/mail-") || slices.Contains([]string{
		setSingleton, setCronJob, "release: RecalledAt", "release: RelievedAt", "release: SingletonsBackAt",
	}, effect)
}

// ofQueues: an effect concerns workers that work on after the release.
func ofQueues(effect string) bool {
	return strings.Contains(effect, "/mail-") || slices.Contains([]string{"release: WorkersAt", owed, noLongerOwed}, effect)
}

// ofScalers: an effect pauses a ScaledObject, or gives it back.
func ofScalers(effect string) bool { return strings.HasPrefix(effect, pausing) }

// newWorldOfTasks has a worker, a singleton and a CronJob.
func newWorldOfTasks(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := newWorldWithWorker(t, append(change, withSingleton, withCronJob)...)
	w.create(w.singleton())
	w.create(w.cronJob())
	return w
}

// untilWorkers are the effects of a deploy until its workers start.
var untilWorkers = slices.Concat(beginDeploy, []string{"release: WorkersIntendedAt", startGreen})

// movingSingletons takes a singleton and a CronJob along.
var movingSingletons = []string{
	"release: SingletonsIntendedAt",
	setSingleton,
	setCronJob,
	"release: SingletonsAt",
}

var workersDeploy = journey{name: "deploy with a worker", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldOfTasks(t)
	return w, w.submit("a")
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectDeployed(rel)
	w.expectWorkers(0, workersSize, true)
	w.expectSingleton(v1alpha1.Green)
	w.expectCronJob(v1alpha1.Green)
}, effects: slices.Concat(untilWorkers, movingSingletons, endDeploy, []string{stopBlue, "release: WorkersAt"})}

// The old workers are stopped after the release.
var queueDeploy = journey{name: "deploy with a queue", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w, q := newWorldWithQueues(t)
	q.set(v1alpha1.Blue, nil)
	return w, w.submit("a")
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectDeployed(rel)
	w.awaitStopped(v1alpha1.Blue)
	w.expectWorkers(0, workersSize, true)
}, effects: slices.Concat(untilWorkers, endDeploy, []string{"release: WorkersAt", owed, stopBlue, noLongerOwed})}

// The writes of a worker's ScaledObjects.
const (
	pausing      = "PATCH scaledobjects/mail-"
	pausedAtZero = " add annotations/autoscaling.keda.sh~1paused-replicas add annotations/paused"
)

// KEDA scales the workers.
var scalersDeploy = journey{name: "deploy with KEDA", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldWithScalers(t)
	return w, w.submit("a")
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectDeployed(rel)
	w.awaitScalers(v1alpha1.Green)
	w.expectWorkers(0, workersSize, true)
}, effects: slices.Concat(untilWorkers, endDeploy, []string{
	pausing + "green add annotations" + pausedAtZero,
	pausing + "blue add annotations" + pausedAtZero + " add annotations/workers",
	pausing + "green remove annotations/paused remove annotations/autoscaling.keda.sh~1paused-replicas add annotations/workers",
	stopBlue,
	"release: WorkersAt",
})}

var workersUndo = journey{name: "undo with a worker", ends: v1alpha1.ReleaseFailed, start: func(t testing.TB) (*world,
	*v1alpha1.Release,
) {
	w := newWorldOfTasks(t)
	w.kubelet.crash("mail-green")
	return w, w.submit("a")
}, expect: func(w *world, _ *v1alpha1.Release) {
	w.settled()
	w.expectWorkers(workersSize, 0, true)
	w.expectSingleton(v1alpha1.Blue)
	w.expectCronJob(v1alpha1.Blue)
	w.expectSizes(w.replicas, 0)
}, effects: slices.Concat(untilWorkers, untilDiscarded, []string{
	"PATCH deployments/mail-blue add annotations/workers",
	stopGreen,
	"release: RecalledAt",
	"release: RelievedAt",
})}

// A version that fails in its soak: the workers come back before users, and the singleton after
// them.
var workersRestore = journey{name: "restore with a worker", ends: v1alpha1.ReleaseFailed, start: func(t testing.TB) (*world,
	*v1alpha1.Release,
) {
	w := newWorldOfTasks(t, soaks(time.Hour))
	return w, w.restartInSoak()
}, expect: func(w *world, _ *v1alpha1.Release) {
	w.settled()
	w.expectWorkers(workersSize, 0, true)
	w.expectSingleton(v1alpha1.Blue)
	w.expectCronJob(v1alpha1.Blue)
	w.expectRoutes("blue", 4)
	w.awaitShrunk(v1alpha1.Green)
}, effects: slices.Concat(untilSoak, restoring, movingSingletons, []string{
	"release: WorkersIntendedAt",
	"release: WorkersAt",
	recallBlue,
	"release: RecalledAt",
	stopGreen,
	"release: RelievedAt",
	"release: SingletonsBackAt",
})}

var workersRollback = journey{name: "rollback with a worker", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldOfTasks(t)
	w.pretendDeployed()
	w.moveWorkers()
	return w, w.rollback()
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectRolledBack(rel)
	w.expectWorkers(workersSize, 0, false)
	w.expectSingleton(v1alpha1.Blue)
	w.expectCronJob(v1alpha1.Blue)
}, effects: slices.Concat(rollingBack, movingSingletons, []string{
	moveUsers,
	recallBlue,
	"release: RecalledAt",
	stopGreen,
	"release: RelievedAt",
	enterRepository,
})}

// moveWorkers sets the worker to the state after a deploy to green.
func (w *world) moveWorkers() {
	w.t.Helper()
	for c, is := range map[v1alpha1.Color]string{
		v1alpha1.Blue:  `{"metadata":{"annotations":{%q:"pretended",%q:"%d"}},"spec":{"replicas":0}}`,
		v1alpha1.Green: `{"metadata":{"annotations":{%q:"pretended",%q:null}},"spec":{"replicas":%d}}`,
	} {
		w.patch(w.worker(c, 0), fmt.Sprintf(is, v1alpha1.WorkersAnnotation, v1alpha1.SizeAnnotation, workersSize))
	}
}
