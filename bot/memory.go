package bot

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// memoryLife bounds how long what this process wrote is believed over what it
// reads: a watch may lag that much, but after it somebody else may have written.
const memoryLife = time.Minute

// releaseID is what a release is remembered by.
type releaseID = types.UID

// memory is what was published lately by this process, since the record may be
// read through a cache that lags behind its own writes. The zero value is ready.
type memory struct {
	last expiring[releaseID, *v1alpha1.GitHubStatus]
}

// latest returns a release's status.github as it was written last, never nil.
func (m *memory) latest(rel *v1alpha1.Release) *v1alpha1.GitHubStatus {
	if status, _, found := m.last.get(rel.UID, memoryLife); found {
		return status.DeepCopy()
	}
	if rel.Status.GitHub == nil {
		return &v1alpha1.GitHubStatus{}
	}
	return rel.Status.GitHub.DeepCopy()
}

// keep remembers what was recorded.
func (m *memory) keep(uid releaseID, status *v1alpha1.GitHubStatus) {
	m.last.put(uid, status.DeepCopy())
}
