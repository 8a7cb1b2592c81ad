package deployer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// publicAddress is an application's public address, and how Turnout may reach it.
type publicAddress struct {
	pods      gate.Access // to ask pods for their version
	userAgent string
	allow     []netip.Prefix
	proxy     *url.URL
	observer  Observer
}

// whoAnswers asks the pods of both colours for their versions, and then the public address. It
// asks the pods each time, so it needs no memory.
func (p publicAddress) whoAnswers(ctx context.Context, bg *v1alpha1.BlueGreen, routes track.Routes, to, from track.Side) answers {
	header := bg.Spec.Proof.VersionHeader
	apart := func(format string, args ...any) answers {
		return answers{
			reason: v1alpha1.ReasonNotToldApart,
			text:   fmt.Sprintf("%s does not distinguish the versions: ", bg.Spec.URL) + fmt.Sprintf(format, args...),
		}
	}
	theirs, err := p.named(ctx, bg, to)
	if err != nil {
		return apart("no pod of %s could be asked for its version: %v", to.Color, err)
	}
	if theirs == "" {
		return apart("the pods of %s do not answer with the header %s (spec.proof.versionHeader)", to.Color, header)
	}
	if len(from.Ready()) > 0 { // otherwise nothing answers there
		old, err := p.named(ctx, bg, from)
		if err != nil {
			return apart("no pod of %s could be asked for its version: %v", from.Color, err)
		}
		if old == theirs {
			return apart("the pods of both colours name the version %s in %s (spec.proof.versionHeader)", theirs, header)
		}
	}
	all := proof.Ask(ctx, p.proofConfig(bg, routes), track.NewInARow)
	seen := 0
	for _, a := range all {
		switch a.Version {
		case theirs:
			seen++
		case "":
			return answers{reason: v1alpha1.ReasonNoAnswer, text: fmt.Sprintf("the last answer of %s named no version: %s", bg.Spec.URL, a.Text)}
		default:
			return answers{
				reason: v1alpha1.ReasonOldVersion,
				text:   fmt.Sprintf("%s answers with the version %s, and the pods of %s are %s", bg.Spec.URL, a.Version, to.Color, theirs),
			}
		}
	}
	if seen < track.NewInARow {
		return answers{reason: v1alpha1.ReasonNoAnswer, text: bg.Spec.URL + " did not answer in time"}
	}
	return answers{there: true}
}

// named asks a colour's pod for its version; "" if it names none.
func (p publicAddress) named(ctx context.Context, bg *v1alpha1.BlueGreen, side track.Side) (string, error) {
	pods, spec := side.Ready(), bg.Spec.Proof
	public, err := url.Parse(bg.Spec.URL)
	if err != nil {
		return "", fmt.Errorf("reading spec.url: %w", err)
	}
	if len(pods) == 0 {
		return "", fmt.Errorf("none is ready")
	}
	check := v1alpha1.HTTPCheck{Path: strings.TrimSuffix(public.Path, "/") + spec.Path, Port: side.UserPort, Scheme: "HTTP"}
	version, err := p.pods.Header(ctx, check, public.Host, pods[0], spec.VersionHeader, bg.Spec.Gate.TryTimeout.Duration)
	return proof.Version(version), err
}

// proofConfig describes the requests to an application's public address.
func (p publicAddress) proofConfig(bg *v1alpha1.BlueGreen, routes track.Routes) proof.Config {
	c := proof.ConfigFor(bg.Spec.URL, bg.Spec.Proof)
	c.UserAgent = p.userAgent
	c.Dial = publicnet.Dialer(p.allow, routes.Addresses...)
	if p.proxy != nil { // its operator decides what it may reach
		c.Proxy, c.Dial = http.ProxyURL(p.proxy), new(net.Dialer).DialContext
	}
	if p.observer != nil {
		key := client.ObjectKeyFromObject(bg)
		c.Answered = func(k proof.Kind) { p.observer.Asked(key, k.String()) }
	}
	return c
}
