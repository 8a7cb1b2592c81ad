package bot_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// memoryRecord is a record that behaves like Kubernetes: names are unique, UIDs are never
// reused, approval and cancel are set once, and readers get copies.
type memoryRecord struct {
	mu       sync.Mutex
	apps     map[types.NamespacedName]*v1alpha1.BlueGreen
	granted  map[string]bool // namespaces
	releases []*v1alpha1.Release
	writes   int // all writes

	deliveries map[string]*v1alpha1.Delivery
	puts       int // stores of deliveries, including repeated ones
	versions   int

	// down makes every call fail. before and after make the nth write fail, counted from 1,
	// without or with its effect.
	down          bool
	before, after int
}

var errDown = fmt.Errorf("kubernetes does not answer")

func newRecord() *memoryRecord {
	return &memoryRecord{apps: map[types.NamespacedName]*v1alpha1.BlueGreen{}, granted: map[string]bool{}}
}

// add stores an application in a granted namespace.
func (m *memoryRecord) add(app v1alpha1.BlueGreen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apps[types.NamespacedName{Namespace: app.Namespace, Name: app.Name}] = app.DeepCopy()
	m.granted[app.Namespace] = true
}

// change edits a release as the deployer does.
func (m *memoryRecord) change(name string, fn func(*v1alpha1.Release)) *v1alpha1.Release {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rel := range m.releases {
		if rel.Name == name {
			fn(rel)
			return rel.DeepCopy()
		}
	}
	panic("no release " + name)
}

// write counts a write and decides whether it fails, with or without its effect.
func (m *memoryRecord) write(effect func() error) error {
	m.writes++
	if m.down || m.writes == m.before {
		return errDown
	}
	if err := effect(); err != nil {
		return err
	}
	if m.writes == m.after {
		return errDown
	}
	return nil
}

func (m *memoryRecord) Applications(_ context.Context, repository string, id int64) ([]v1alpha1.BlueGreen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	var found []v1alpha1.BlueGreen
	for key, app := range m.apps {
		if m.granted[key.Namespace] && (repository == "" || app.Follows(repository, id)) {
			found = append(found, *app.DeepCopy())
		}
	}
	slices.SortFunc(found, func(a, b v1alpha1.BlueGreen) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func (m *memoryRecord) Application(_ context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	if app := m.apps[key]; app != nil {
		return app.DeepCopy(), nil
	}
	return nil, bot.ErrNotFound
}

func (m *memoryRecord) Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	return m.Releases(ctx, app)
}

func (m *memoryRecord) Releases(_ context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	var found []v1alpha1.Release
	for _, rel := range slices.Backward(m.releases) {
		if rel.Namespace == app.Namespace && rel.Spec.Application == app.Name {
			found = append(found, *rel.DeepCopy())
		}
	}
	return found, nil
}

func (m *memoryRecord) find(key types.NamespacedName) *v1alpha1.Release {
	for _, rel := range m.releases {
		if rel.Namespace == key.Namespace && rel.Name == key.Name {
			return rel
		}
	}
	return nil
}

func (m *memoryRecord) Submit(_ context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, false, errDown
	}
	if stored := m.find(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}); stored != nil {
		if !v1alpha1.SameRequest(stored, rel) {
			return nil, false, bot.ErrIdentity
		}
		return stored.DeepCopy(), false, nil
	}
	stored := rel.DeepCopy()
	err := m.write(func() error {
		stored.UID = types.UID(fmt.Sprintf("uid-%d", len(m.releases)+1))
		stored.CreationTimestamp = metav1.NewTime(time.Now())
		m.releases = append(m.releases, stored)
		return nil
	})
	return stored.DeepCopy(), true, err
}

func (m *memoryRecord) Approve(_ context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		rel := m.find(key)
		switch {
		case rel == nil:
			return bot.ErrNotFound
		case rel.Spec.Approval != nil:
			return bot.ErrSet
		}
		rel.Spec.Approval = &a
		return nil
	})
}

func (m *memoryRecord) Promote(_ context.Context, key types.NamespacedName, p v1alpha1.Promotion) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		rel := m.find(key)
		switch {
		case rel == nil:
			return bot.ErrNotFound
		case slices.ContainsFunc(rel.Spec.Promotions, func(had v1alpha1.Promotion) bool { return had.Weight == p.Weight }):
			return bot.ErrSet
		}
		rel.Spec.Promotions = append(rel.Spec.Promotions, p)
		return nil
	})
}

func (m *memoryRecord) Cancel(_ context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		rel := m.find(key)
		switch {
		case rel == nil:
			return bot.ErrNotFound
		case !rel.Spec.Ask(c):
			return bot.ErrSet
		}
		return nil
	})
}

func (m *memoryRecord) Lock(_ context.Context, key types.NamespacedName, l v1alpha1.Lock) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		app := m.apps[key]
		switch {
		case app == nil:
			return bot.ErrNotFound
		case app.Status.Lock != nil:
			return bot.ErrSet
		}
		app.Status.Lock = &l
		return nil
	})
}

func (m *memoryRecord) Unlock(_ context.Context, key types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var was *v1alpha1.Lock
	err := m.write(func() error {
		app := m.apps[key]
		if app == nil {
			return bot.ErrNotFound
		}
		if was, app.Status.Lock = app.Status.Lock, nil; was != nil {
			now := metav1.Now().Rfc3339Copy() // as stored: whole seconds
			app.Status.UnlockedAt, app.Status.UnlockedBy = &now, by
		}
		return nil
	})
	return was, err
}

func (m *memoryRecord) PublishGitHub(_ context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		stored := m.find(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name})
		if stored == nil || stored.UID != rel.UID {
			return bot.ErrNotFound
		}
		asRead := rel.ResourceVersion != "" && rel.ResourceVersion == stored.ResourceVersion
		if !asRead && !stored.Status.GitHub.Same(rel.Status.GitHub) {
			return bot.ErrRace
		}
		stored.Status.GitHub, stored.ResourceVersion = s.DeepCopy(), strconv.Itoa(m.writes)
		rel.ResourceVersion = stored.ResourceVersion
		return nil
	})
}
