package preflight

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// detach is how long the load balancer keeps sending to a pod that ends, as in Google's
	// own example (cloud.google.com/knowledge/kb, "502 and 503 errors on external HTTP(S)
	// load balancer").
	detach = 40 * time.Second
	// spare is how much time a pod should have left after that, from the same page.
	spare = 15 * time.Second
	// defaultGrace of a pod that sets none.
	defaultGrace = 30 * time.Second
)

// staged are the templates whose pods will have users: with spec.template: Live, only the live
// colour's, since that is staged on the other.
func (f Facts) staged() []Template {
	var all []Template
	for _, c := range both {
		if t, ok := f.Templates[c]; ok && (c == f.live() || f.App.Spec.Template == v1alpha1.TemplateOwn) {
			all = append(all, t)
		}
	}
	return all
}

// preStop warns of pods that end while the load balancer still sends to them: both learn of the
// end at the same moment.
func preStop(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	var all []v1alpha1.Finding
	for _, t := range f.staged() {
		c := f.container(t.Spec)
		if c == nil || c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
			continue
		}
		all = append(all, f.about("deployment", t.Deployment).warning("PreStop", "spec.template.spec.containers["+c.Name+"].lifecycle.preStop",
			"when the old colour is scaled down, a pod ends while the load balancer still sends to it, for about as long as detaching takes: set "+
				"lifecycle: {preStop: {sleep: {seconds: %d}}}", int(detach.Seconds())))
	}
	return all
}

// grace warns of pods that are killed before they have finished their answers.
func grace(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	drains := f.drains()
	var all []v1alpha1.Finding
	for _, t := range f.staged() {
		c := f.container(t.Spec)
		if c == nil {
			continue
		}
		// Without a preStop, the rule above asks for this length.
		stop := detach
		if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
			stop = sleeps(c.Lifecycle.PreStop)
		}
		has, least := graceOf(t.Spec), stop+drains+spare
		if has >= least {
			continue
		}
		all = append(all, f.about("deployment", t.Deployment).warning("Grace", "spec.template.spec.terminationGracePeriodSeconds",
			"Kubernetes kills a pod %s after it tells it to end, but %s of preStop, %s of connection draining and %s to spare take %s: set "+
				"terminationGracePeriodSeconds: %d", has, stop, drains, spare, least, int(least.Seconds())))
	}
	return all
}

// drains is the longest connection draining that is configured.
func (f Facts) drains() time.Duration {
	var longest time.Duration
	for _, port := range f.ports() {
		for _, c := range both {
			if _, config, known := f.configOf(c, port); known {
				t, _ := config.seconds("connectionDraining", "drainingTimeoutSec")
				longest = max(longest, t)
			}
		}
	}
	return longest
}

func graceOf(pod corev1.PodSpec) time.Duration {
	if pod.TerminationGracePeriodSeconds == nil {
		return defaultGrace
	}
	return time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
}

var sleepCommand = regexp.MustCompile(`(?:^|[\s;&/])sleep\s+(\d{1,5})\b`)

// sleeps is how long a hook takes, as far as visible.
func sleeps(hook *corev1.LifecycleHandler) time.Duration {
	switch {
	case hook.Sleep != nil:
		return time.Duration(hook.Sleep.Seconds) * time.Second
	case hook.Exec != nil:
		if m := sleepCommand.FindStringSubmatch(strings.Join(hook.Exec.Command, " ")); m != nil {
			seconds, _ := strconv.Atoi(m[1]) // a few digits
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}
