package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// recordMetrics exports the state of the applications. It reads the record at each scrape,
// so a replica that has just started, or does not lead, exports the same as any other.
type recordMetrics struct {
	reader client.Reader // cached: a scrape costs the API server nothing
	log    *slog.Logger
	now    func() time.Time
	// begin is called for every application, to create its counters. Optional.
	begin func(app client.ObjectKey)
}

// The metrics of recordMetrics. Each has the labels namespace and application.
var (
	queueDescription  = applicationMetric("turnout_queue_releases", "Releases that wait for their turn.")
	oldestDescription = applicationMetric("turnout_queue_oldest_seconds", "Age of the oldest release that waits for its turn; 0 if none does.")
	stepDescription   = applicationMetric("turnout_active_step_seconds",
		"Time since the current step of the active release began.", "step")
	readyDescription = applicationMetric("turnout_application_ready",
		"1 if the application's next release could run, 0 if its condition Ready is not True.")
	unsureDescription = applicationMetric("turnout_switch_unconfirmed",
		"1 if nothing says that the load balancer took up the last switch, or that a canary that went back has no users any more (the "+
			"conditions SwitchUnconfirmed and WithdrawUnconfirmed), else 0.")
	suffersDescription = applicationMetric("turnout_live_suffers",
		"1 while the version that users have fails since a migration (the condition LiveSuffers), and for 15 minutes after a release has "+
			"failed because of that, else 0.")
	lockDescription = applicationMetric("turnout_application_locked", "1 if somebody locked the application, else 0.")
)

func applicationMetric(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"namespace", "application"}, more...), nil)
}

// sufferedFor is how long after a release has failed because the live version suffers that is exported: nobody
// watches that version any more, and an alert must not miss it.
const sufferedFor = 15 * time.Minute

// scrapeTimeout bounds reading the record for a scrape; the whole scrape may take 10 s by
// default. The cache answers at once, or is not filled yet.
const scrapeTimeout = 2 * time.Second

// Describe implements [prometheus.Collector].
func (m *recordMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		queueDescription, oldestDescription, stepDescription, readyDescription, unsureDescription,
		suffersDescription, lockDescription,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector]. If the record cannot be read, it leaves out
// its metrics: the others are still worth a scrape.
func (m *recordMetrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var apps v1alpha1.BlueGreenList
	var releases v1alpha1.ReleaseList
	for _, list := range []client.ObjectList{&apps, &releases} {
		if err := m.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil { // they are only read
			m.log.DebugContext(ctx, "no metrics of the record", "error", err)
			return
		}
	}
	of, suffered := map[types.NamespacedName][]*v1alpha1.Release{}, map[types.NamespacedName]bool{}
	for i := range releases.Items {
		rel := &releases.Items[i]
		key := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Spec.Application}
		if !rel.Status.Phase.Finished() {
			of[key] = append(of[key], rel)
		}
		if f := rel.Status.Failure; f != nil && f.Reason == v1alpha1.FailedLiveSuffers && m.now().Sub(f.At.Time) < sufferedFor {
			suffered[key] = true
		}
	}
	for i := range apps.Items {
		bg := &apps.Items[i]
		if m.begin != nil {
			m.begin(client.ObjectKeyFromObject(bg))
		}
		key := client.ObjectKeyFromObject(bg)
		m.application(to, bg, of[key])
		suffers := suffered[key] || meta.IsStatusConditionTrue(bg.Status.Conditions, v1alpha1.ConditionLiveSuffers)
		to <- prometheus.MustNewConstMetric(suffersDescription, prometheus.GaugeValue, oneIf(suffers), bg.Namespace, bg.Name)
	}
}

// application exports one application and its unfinished releases.
func (m *recordMetrics) application(to chan<- prometheus.Metric, bg *v1alpha1.BlueGreen, unfinished []*v1alpha1.Release) {
	tell := func(d *prometheus.Desc, value float64, more ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{bg.Namespace, bg.Name}, more...)...)
	}
	var oldest time.Duration
	waiting := 0
	for _, rel := range unfinished {
		if active := bg.Status.Active; active == nil || active.UID != string(rel.UID) {
			waiting++
			oldest = max(oldest, m.now().Sub(rel.CreationTimestamp.Time))
			continue
		}
		if n := len(rel.Status.Timeline); n > 0 && rel.Status.Timeline[n-1].FinishedAt == nil {
			entry := rel.Status.Timeline[n-1]
			tell(stepDescription, m.now().Sub(entry.StartedAt.Time).Seconds(), string(entry.Step))
		}
	}
	tell(queueDescription, float64(waiting))
	tell(oldestDescription, oldest.Seconds())
	tell(readyDescription, oneIf(meta.IsStatusConditionTrue(bg.Status.Conditions, v1alpha1.ConditionReady)))
	tell(unsureDescription, oneIf(unconfirmed(bg) != nil))
	tell(lockDescription, oneIf(bg.Status.Lock != nil))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
