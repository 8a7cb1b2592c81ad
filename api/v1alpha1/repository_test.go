package v1alpha1

import "testing"

func TestRepositoryIsFollowedByItsNumber(t *testing.T) {
	t.Parallel()
	pinned := &RepositoryPin{Name: "acme/app", ID: 1}
	for name, tt := range map[string]struct {
		pin  *RepositoryPin
		repo string
		id   int64
		want bool
	}{
		"not pinned, by name":            {nil, "Acme/App", 7, true},
		"not pinned, another name":       {nil, "acme/other", 7, false},
		"pinned":                         {pinned, "acme/app", 1, true},
		"renamed":                        {pinned, "acme/renamed", 1, true},
		"another one took over its name": {pinned, "acme/app", 666, false},
		"pinned, the number is missing":  {pinned, "acme/app", 0, true},
		"pinned under a former name":     {&RepositoryPin{Name: "acme/before", ID: 1}, "acme/app", 7, true},
		"known to be another one by now": {&RepositoryPin{Name: "acme/app", ID: 1, Found: 666}, "acme/app", 0, false},
	} {
		b := &BlueGreen{Spec: BlueGreenSpec{Repository: "acme/app"}, Status: BlueGreenStatus{Repository: tt.pin}}
		if got := b.Follows(tt.repo, tt.id); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}
