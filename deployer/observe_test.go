package deployer

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/deployer/track"
)

// The tag may name the commit of a version that no release has put there; the digest by
// which it is recorded does not.
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
			t.Errorf("of a release's version the tag is kept: %+v", v)
		}
	}
}
