package deployer

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// observer reads routes, and says of which application: the cached one, or the one read now.
type observer struct {
	*route.Router
	now *v1alpha1.BlueGreen
}

func (o observer) Observe(_ context.Context, bg *v1alpha1.BlueGreen) (track.Routes, error) {
	if bg == o.now {
		return track.Routes{Name: "now"}, nil
	}
	return track.Routes{Name: "ahead"}, nil
}

// cachedApplication is one application, as the cache has it.
type cachedApplication v1alpha1.BlueGreen

func (c *cachedApplication) Application(context.Context, types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	return (*v1alpha1.BlueGreen)(c), nil
}

// Routes that were read beside the record count only if nobody else moves users, and only for the
// application that they were read for.
func TestRoutesReadBesideTheRecordCountOnlyForTheClaimsHolder(t *testing.T) {
	t.Parallel()
	app := func(holder string, generation int64) *v1alpha1.BlueGreen {
		bg := &v1alpha1.BlueGreen{}
		bg.Generation = generation
		if holder != "" {
			bg.Status.Active = &v1alpha1.Claim{Holder: holder}
		}
		return bg
	}
	for name, tt := range map[string]struct {
		cached, now *v1alpha1.BlueGreen
		want        string
	}{
		"its own claim":            {app("me", 1), app("me", 1), "ahead"},
		"no claim":                 {app("", 1), app("", 1), "now"},
		"a claim since then":       {app("", 1), app("me", 1), "now"},
		"taken over since then":    {app("me", 1), app("other", 1), "now"},
		"ended since then":         {app("me", 1), app("", 1), "now"},
		"another spec":             {app("me", 1), app("me", 2), "now"},
		"somebody else's claim":    {app("other", 1), app("other", 1), "now"},
		"taken over from somebody": {app("other", 1), app("me", 1), "now"},
	} {
		l := looking{holder: "me", known: (*cachedApplication)(tt.cached), observing: observing{routes: observer{now: tt.now}}}
		got, err := l.routesAhead(t.Context(), types.NamespacedName{})(tt.now)
		check(t, err)
		if got.Name != tt.want {
			t.Errorf("%s: the routes were read %s, want %s", name, got.Name, tt.want)
		}
	}
}
