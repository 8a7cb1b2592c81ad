package bot_test

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// The memoryRecord keeps deliveries as Kubernetes does: names are unique, an outdated
// update is refused, and readers get copies.
var _ bot.Deliveries = &memoryRecord{}

func (m *memoryRecord) Put(_ context.Context, d *v1alpha1.Delivery) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return false, errDown
	}
	m.puts++
	if m.deliveries[d.Name] != nil {
		return false, nil
	}
	return true, m.write(func() error {
		d.UID = types.UID(strconv.Itoa(m.versions + 1))
		m.keep(d)
		return nil
	})
}

// putsSoFar counts the events that were stored.
func (m *memoryRecord) putsSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.puts
}

// keep stores a delivery under its next resource version.
func (m *memoryRecord) keep(d *v1alpha1.Delivery) {
	if m.deliveries == nil {
		m.deliveries = map[string]*v1alpha1.Delivery{}
	}
	m.versions++
	d.ResourceVersion = strconv.Itoa(m.versions)
	m.deliveries[d.Name] = d.DeepCopy()
}

func (m *memoryRecord) Get(_ context.Context, name string) (*v1alpha1.Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	if d := m.deliveries[name]; d != nil {
		if err := d.Readable(); err != nil {
			return nil, err
		}
		return d.DeepCopy(), nil
	}
	return nil, bot.ErrNotFound
}

func (m *memoryRecord) List(context.Context) ([]v1alpha1.Delivery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errDown
	}
	var all []v1alpha1.Delivery
	for _, d := range m.deliveries {
		all = append(all, *d.DeepCopy())
	}
	slices.SortFunc(all, func(a, b v1alpha1.Delivery) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (m *memoryRecord) Update(_ context.Context, d *v1alpha1.Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		switch stored := m.deliveries[d.Name]; {
		case stored == nil:
			return bot.ErrNotFound
		case stored.ResourceVersion != d.ResourceVersion:
			return bot.ErrRace
		}
		m.keep(d)
		return nil
	})
}

func (m *memoryRecord) Delete(_ context.Context, d *v1alpha1.Delivery) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(func() error {
		if stored := m.deliveries[d.Name]; stored != nil && stored.UID == d.UID {
			delete(m.deliveries, d.Name)
		}
		return nil
	})
}
