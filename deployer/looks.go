package deployer

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// errRollback is why a look was cancelled: users wait for a rollback.
var errRollback = errors.New("a rollback was asked for")

// unclearPause is how often a look is cancelled for rollbacks that may or may not take back the
// last switch. Whoever may write releases may write many.
const unclearPause = 10 * time.Second

// looks are the current ones, at most one per application. A rollback that a look does not know
// about cancels it: whatever the look waits for, a pod that does not answer or a log that does
// not come, users do not wait. A cancelled look leaves the same state as a process that ended
// there. A rollback that brings nobody back cancels nothing, and neither does a second one of
// the same switch. The zero value is ready to use.
type looks struct {
	mu      sync.Mutex
	at      map[client.ObjectKey]*underWay
	unclear map[client.ObjectKey]time.Time // when a look was last cancelled for an unclear rollback
}

// underWay is a current look, with what it began with.
type underWay struct {
	cancel   context.CancelCauseFunc
	bg       *v1alpha1.BlueGreen // nil: it has not read anything yet
	releases []v1alpha1.Release
}

// begin registers a look; use the returned context for it. The returned function ends it.
func (l *looks) begin(ctx context.Context, app client.ObjectKey) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at, l.unclear = map[client.ObjectKey]*underWay{}, map[client.ObjectKey]time.Time{}
	}
	l.at[app] = &underWay{cancel: cancel}
	return ctx, func() {
		l.mu.Lock()
		delete(l.at, app)
		l.mu.Unlock()
		cancel(nil)
	}
}

// know notes what an application's look acts on.
func (l *looks) know(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) {
	own := v1alpha1.ReleaseList{Items: releases}
	l.mu.Lock()
	defer l.mu.Unlock()
	if look := l.at[client.ObjectKeyFromObject(bg)]; look != nil {
		look.bg, look.releases = bg.DeepCopy(), own.DeepCopy().Items
	}
}

// interrupt cancels the look at an application for a new rollback, if it is worth it.
func (l *looks) interrupt(app client.ObjectKey, rollback *v1alpha1.Release, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look := l.at[app]
	if look == nil {
		return
	}
	switch worth, clear := look.worth(rollback); {
	case !worth:
		return
	case !clear && now.Before(l.unclear[app].Add(unclearPause)):
		return
	case !clear:
		l.unclear[app] = now
	}
	look.cancel(errRollback)
}

// worth reports whether a rollback brings users back, as far as the look can know.
func (u *underWay) worth(rollback *v1alpha1.Release) (worth, clear bool) {
	if u.bg == nil {
		return true, false
	}
	judge := rollbackJudge{u.bg, u.releases}
	good, refused := judge.judgeRollback(rollback)
	for i := range u.releases {
		rel := &u.releases[i]
		switch {
		case rel.UID == rollback.UID:
			return false, true
		case rel.Status.Phase.Finished():
		case rel.Spec.Kind == v1alpha1.Rollback:
			if brings, _ := judge.judgeRollback(rel); brings && good {
				return false, true // the other rollback brings users back
			}
		case string(rel.UID) == rollback.Spec.Rollback.Switch:
			refused = nil // it may have switched since
		}
	}
	return refused == nil, good
}
