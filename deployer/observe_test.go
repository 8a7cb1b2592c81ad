package deployer

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// The tag may name the commit of a version that no release staged; the recorded digest does not.
func TestVersionThatWasFoundKeepsItsTag(t *testing.T) {
	t.Parallel()
	digest := "@sha256:" + strings.Repeat("1", 64)
	for image, want := range map[string]string{
		"gcr.io/acme/shop:0a0a0a0": "0a0a0a0", "gcr.io/acme/shop:0a0a0a0" + digest: "0a0a0a0", "registry:5000/shop:v1": "v1",
		"registry:5000/shop": "", "gcr.io/acme/shop" + digest: "", "shop": "", "": "", "gcr.io/acme/shop:" + strings.Repeat("x", 129): "",
	} {
		s := track.Side{Image: image, RunningImage: "gcr.io/acme/shop" + digest}
		if v := version(s); v.Tag != want || v.Image != "gcr.io/acme/shop"+digest {
			t.Errorf("%s is recorded as %+v, want the tag %q", image, v, want)
		}
		s.Commit = "c0"
		if v := version(s); v.Tag != "" {
			t.Errorf("the release's version keeps its tag: %+v", v)
		}
	}
}

func TestPreviousVersionIsCompletedByDigest(t *testing.T) {
	captured := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1", Replicas: 2}
	if got := byDigest(captured, track.Side{Image: "app:v1"}); got != captured {
		t.Errorf("the digest is unknown, but the image became %+v", got)
	}
	if got := byDigest(captured, track.Side{Image: "app:v2", RunningImage: "app@sha256:2"}); got != captured {
		t.Errorf("another image runs there now, but the version is still %+v", got)
	}
	want := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:1", Replicas: 2, TemplateHash: "h1"}
	if got := byDigest(captured, track.Side{Image: "app:v1", RunningImage: "app@sha256:1", TemplateHash: "h1"}); got != want {
		t.Errorf("it became %+v, want %+v", got, want)
	}
}
