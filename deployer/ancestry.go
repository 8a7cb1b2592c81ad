package deployer

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// ancestries is how many answers are kept: a few for every waiting release.
	ancestries = 4096
	// keepYes is how long a positive answer is kept. Commits never change; the time only drops
	// answers that nobody needs any more.
	keepYes = 24 * time.Hour
	// keepNo is short: right after a push, the source may not know the commit yet.
	keepNo = time.Minute
)

// RememberAncestry returns a source that caches answers about ancestry. While a release soaks,
// the queue is ordered every few seconds, and GitHub limits requests.
func RememberAncestry(s Source) Source {
	return &remembering{Source: s, known: cache.NewLRUExpireCache(ancestries)}
}

type remembering struct {
	Source
	known *cache.LRUExpireCache
}

type ancestry struct{ repository, ancestor, descendant string }

func (r *remembering) IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error) {
	if ancestor == descendant {
		return true, nil
	}
	if other, ok := r.known.Get(ancestry{repository, descendant, ancestor}); ok && other == true {
		return false, nil // only one of two commits can contain the other
	}
	key := ancestry{repository, ancestor, descendant}
	if known, ok := r.known.Get(key); ok {
		contains, _ := known.(bool)
		return contains, nil
	}
	contains, err := r.Source.IsAncestor(ctx, repository, ancestor, descendant)
	if err != nil {
		return false, err
	}
	keep := keepNo
	if contains {
		keep = keepYes
	}
	r.known.Add(key, contains, keep)
	return contains, nil
}
