package bot

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// memoryLife is how long this process prefers what it wrote to what it reads. A watch may
// lag that much; later, somebody else may have written.
const memoryLife = time.Minute

// releaseID identifies a release in memory.
type releaseID = types.UID

// memory is what this process published lately, since the cached record may lag behind its
// own writes. The zero value is ready.
type memory struct {
	last expiring[releaseID, *v1alpha1.GitHubStatus]
}

// latest returns the last written status.github of a release, never nil.
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

// forget drops what is remembered of a release.
func (m *memory) forget(uid releaseID) { m.last.forget(uid) }
