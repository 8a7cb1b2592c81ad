package deployer

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// addressing asks the public address which version answers.
type addressing struct{ *work }

func (w addressing) askEvery(last *v1alpha1.SwitchRecord) time.Duration {
	every := cmp.Or(w.d.AskEvery, askEvery)
	if w.o.Now.Sub(track.RoutedSince(last)) > askOften {
		every *= 4
	}
	return every
}

// ask returns what the public address last showed about the routes, and asks it again if that
// is due. Answers count only from the time on when none can come from earlier routes.
func (w addressing) ask(last *v1alpha1.SwitchRecord, live v1alpha1.Color) answers {
	spec := w.bg.Spec
	switch {
	case spec.URL == "":
		return answers{reason: v1alpha1.ReasonNoAddress, text: "Set spec.url and spec.proof.versionHeader, and the public address is asked"}
	case spec.Proof.VersionHeader == "":
		return answers{
			reason: v1alpha1.ReasonNoVersionHeader,
			text:   "Set spec.proof.versionHeader to a header in which the application names its version, and " + spec.URL + " is asked",
		}
	}
	waits := answers{reason: v1alpha1.ReasonAsking, text: spec.URL + " is being asked"}
	if at := answersFrom(last); w.o.Now.Before(at) {
		w.wakeAt(at)
		waits.text = spec.URL + " is asked from " + track.Clock(at) +
			" on: until then front ends of the load balancer may be at the routes before"
		return waits
	}
	key, bg := client.ObjectKeyFromObject(w.bg), w.bg.DeepCopy()
	to, from, routes := w.o.Sides[live], w.o.Sides[live.Other()], w.o.Routes
	told := w.d.asks.begin(inquiry{
		app: key, about: routesOf(last), every: w.askEvery(last),
		ask: func(ctx context.Context) answers {
			return w.d.whoAnswers(ctx, bg, w.d.proofConfig(bg, routes), to, from)
		},
		wake: func() { w.d.probers.look(key) },
	})
	if told == nil {
		return waits
	}
	return *told
}

// whoAnswers asks the pods of both colours for their versions, and then the public address
// which of them answers. It asks the pods each time, so it needs no memory.
func (d *Deployer) whoAnswers(ctx context.Context, bg *v1alpha1.BlueGreen, c proof.Config, to, from track.Side) answers {
	header := bg.Spec.Proof.VersionHeader
	apart := func(format string, args ...any) answers {
		return answers{reason: v1alpha1.ReasonNotToldApart, text: fmt.Sprintf("%s cannot tell: ", bg.Spec.URL) + fmt.Sprintf(format, args...)}
	}
	theirs, err := d.named(ctx, bg, to)
	if err != nil {
		return apart("no pod of %s could be asked for its version: %v", to.Color, err)
	}
	if theirs == "" {
		return apart("the pods of %s do not answer with the header %s (spec.proof.versionHeader)", to.Color, header)
	}
	if len(from.Ready()) > 0 { // else nobody answers there
		old, err := d.named(ctx, bg, from)
		if err != nil {
			return apart("no pod of %s could be asked for its version: %v", from.Color, err)
		}
		if old == theirs {
			return apart("the pods of both colours name the version %s in %s (spec.proof.versionHeader)", theirs, header)
		}
	}
	all := proof.Ask(ctx, c, track.NewInARow)
	seen := 0
	for _, a := range all {
		switch a.Version {
		case theirs:
			seen++
		case "":
			return answers{reason: v1alpha1.ReasonNoAnswer, text: fmt.Sprintf("%s named no version when it was asked last: %s", bg.Spec.URL, a.Text)}
		default:
			return answers{
				reason: v1alpha1.ReasonOldVersion,
				text:   fmt.Sprintf("%s answers with the version %s, and the pods of %s are %s", bg.Spec.URL, a.Version, to.Color, theirs),
			}
		}
	}
	if seen < track.NewInARow {
		return answers{reason: v1alpha1.ReasonNoAnswer, text: bg.Spec.URL + " did not answer in time when it was asked last"}
	}
	return answers{there: true}
}

// named asks a pod of a colour for its version; "" if it names none.
func (d *Deployer) named(ctx context.Context, bg *v1alpha1.BlueGreen, side track.Side) (string, error) {
	pods, spec := side.Ready(), bg.Spec.Proof
	public, err := url.Parse(bg.Spec.URL)
	if err != nil {
		return "", fmt.Errorf("reading spec.url: %w", err)
	}
	if len(pods) == 0 {
		return "", fmt.Errorf("none is ready")
	}
	check := v1alpha1.HTTPCheck{Path: strings.TrimSuffix(public.Path, "/") + spec.Path, Port: side.UserPort, Scheme: "HTTP"}
	version, err := d.Pods.Header(ctx, check, public.Host, pods[0], spec.VersionHeader, bg.Spec.Gate.TryTimeout.Duration)
	return proof.Version(version), err
}

// proofConfig says how to send requests to an application's public address.
func (d *Deployer) proofConfig(bg *v1alpha1.BlueGreen, routes track.Routes) proof.Config {
	c := proof.ConfigFor(bg.Spec.URL, bg.Spec.Proof)
	c.UserAgent = d.UserAgent
	c.Dial = publicnet.Dialer(d.AllowAddresses, routes.Addresses...)
	if d.Proxy != nil { // what that may ask is for whoever runs it to say
		c.Proxy, c.Dial = http.ProxyURL(d.Proxy), new(net.Dialer).DialContext
	}
	if d.Observer != nil {
		key := client.ObjectKeyFromObject(bg)
		c.Answered = func(k proof.Kind) { d.Observer.Asked(key, k.String()) }
	}
	return c
}
