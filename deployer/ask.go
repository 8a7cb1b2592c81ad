package deployer

import (
	"cmp"
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// rhythm is how often Turnout asks the public address and reads the URL map while nothing shows
// that a switch was taken up; 0 means [askEvery].
type rhythm time.Duration

// addressing asks the public address which version answers.
type addressing struct {
	address publicAddress
	asks    *asks
	probers *probers
	rhythm  rhythm
}

// every is the interval between questions while nothing else shows the switch.
func (r rhythm) every(w *work, last *v1alpha1.SwitchRecord) time.Duration {
	every := cmp.Or(time.Duration(r), askEvery)
	if w.o.Now.Sub(track.RoutedSince(last)) > askOften {
		every *= 4
	}
	return every
}

// ask returns what the public address last showed about the routes, and asks it again when due.
// Answers count only from the time when none can come from earlier routes.
func (q addressing) ask(w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color) answers {
	spec := w.bg.Spec
	switch {
	case spec.URL == "":
		return answers{reason: v1alpha1.ReasonNoAddress, text: "Set spec.url and spec.proof.versionHeader, and Turnout asks the public address"}
	case spec.Proof.VersionHeader == "":
		return answers{
			reason: v1alpha1.ReasonNoVersionHeader,
			text:   "Set spec.proof.versionHeader to a header in which the application names its version, and Turnout asks " + spec.URL,
		}
	}
	waits := answers{reason: v1alpha1.ReasonAsking, text: spec.URL + " is being asked"}
	if at := answersFrom(last); w.o.Now.Before(at) {
		w.wakeAt(at)
		waits.text = spec.URL + " is asked from " + track.Clock(at) +
			": until then the load balancer's front ends may use the earlier routes"
		return waits
	}
	key, bg := client.ObjectKeyFromObject(w.bg), w.bg.DeepCopy()
	to, from, routes := w.o.Sides[live], w.o.Sides[live.Other()], w.o.Routes
	told := q.asks.begin(inquiry{
		app: key, about: routesOf(last), every: q.rhythm.every(w, last),
		ask: func(ctx context.Context) answers {
			return q.address.whoAnswers(ctx, bg, routes, to, from)
		},
		wake: func() { q.probers.look(key) },
	})
	if told == nil {
		return waits
	}
	return *told
}
