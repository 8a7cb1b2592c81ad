package deployer

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// named14: every pod of both colours, and the public address, name the version 1.4.
func (w *world) named14() *rest.Config {
	w.t.Helper()
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) { rw.Header().Set("App-Version", "1.4") })
	w.proofSpec(tellApart)
	return w.podsName("1.4")
}

// podsName: every pod of both colours names this version.
func (w *world) podsName(version string) *rest.Config {
	w.t.Helper()
	pods := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("App-Version", version) }))
	w.t.Cleanup(pods.Close)
	cfg := rest.CopyConfig(plane.Config)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "10.99.") {
			address = pods.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return cfg
}

// Some commits do not change the image. Answers then show nothing, and a release that waited for
// the new version would mistake its own answers for the old one's.
func TestOneImageOnBothColoursIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		r, err := cloudbuildtest.Digests(ctx, b)
		for i := range r.Images {
			r.Images[i].Digest = "sha256:" + strings.Repeat("7", 64)
		}
		return r, err
	}
	stop := w.runWith(w.named14())
	said := func(rel *v1alpha1.Release) bool {
		return slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool {
			return strings.HasPrefix(f.Text, "both colours run gcr.io/acme-prod/my-python-app@sha256:777")
		})
	}
	if rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded); said(rel) {
		t.Errorf("two images count as one: %q", rel.Status.Findings)
	}
	w.settled()
	stop()
	w.run() // pods cannot be asked any more, and need not be
	rel := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	if !said(rel) {
		t.Errorf("no finding says that both colours run one image; the findings are %q", rel.Status.Findings)
	}
	if r := rel.Status.Route; r.TookEffectBy != v1alpha1.SignWait || rel.Status.Proof.NewVersion != "" {
		t.Errorf("it took effect by %s, the new version is %q", r.TookEffectBy, rel.Status.Proof.NewVersion)
	}
}

// Nothing shows which colour answers, so both are kept, and the condition reports why.
func TestVersionsThatCannotBeToldApartConfirmNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	b := behindGCE(w)
	cfg := w.named14()
	w.shortly()
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeWarning, corev1.EventTypeNormal} })
	w.runWith(cfg, told, asksOften)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.fails = quota })
	w.approve(rel)
	w.await(rel, "the end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
	w.settled()
	w.awaitUnconfirmed(v1alpha1.ReasonNotToldApart, "the pods of both colours name the version 1.4 in App-Version (spec.proof.versionHeader)",
		"turnout confirm my-python-app --namespace "+w.namespace)
	w.expectSizes(1, 1)
}
