package deployer

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func sayStaged(a *attempt) {
	a.say(fmt.Sprintf("%d pods of %s run %s", a.o.Target.Replicas, a.o.Target.Deployment, a.rel.Status.Version))
}

func sayApproved(a *attempt) {
	if a.rel.Status.Milestones.Approved.By == v1alpha1.ApprovedByPolicy {
		a.say("approved by policy")
		return
	}
	a.say("approved by " + a.rel.ApprovedBy())
}

// sayWarm records what was found, and what could not be observed.
func sayWarm(a *attempt, w track.Warmth) {
	if !a.o.OnGCE() {
		a.say(fmt.Sprintf("%d ready endpoints", w.Pods))
		return
	}
	if len(w.Waived) > 0 {
		text := fmt.Sprintf("%d pods of %s are ready and had the users until %s; not required: %s", w.Pods, a.o.Target.Deployment,
			track.Clock(a.o.LeftAt), lackText(w.Waived))
		a.say(text)
		a.finding(text)
		return
	}
	if len(w.Unseen) == 0 {
		a.say(fmt.Sprintf("the load balancer finds %d pods healthy", w.Pods))
		return
	}
	text := fmt.Sprintf("the load balancer finds service %s healthy, but does not report each pod: %s", a.o.Target.Service,
		lackText(w.Unseen))
	a.say(text)
	a.finding(text)
}

// lackingText describes what a target lacks.
func lackingText(w track.Warmth, service string) string {
	text := fmt.Sprintf("%d of %d pods are ready endpoints of service %s", w.Good, w.Pods, service)
	if len(w.Lacking) > 0 {
		text += ": " + lackText(w.Lacking)
	}
	if len(w.Unseen) > 0 {
		text += "; not reported one by one: " + lackText(w.Unseen)
	}
	return text
}

// lacksNamed bounds how many pods a message names.
const lacksNamed = 3

func lackText(all []track.Lack) string {
	var texts []string
	for _, l := range all[:min(len(all), lacksNamed)] {
		texts = append(texts, l.String())
	}
	if more := len(all) - lacksNamed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}
