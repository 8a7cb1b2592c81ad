package track

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Singleton is a Deployment of which one pod at most may run, as observed. It has no colour.
type Singleton struct {
	WorkerSide

	// Repository of its image, as the spec names it; "" for the application's.
	Repository string

	// Recreate: its strategy ends the old pod before a new one starts.
	Recreate bool
}

// Stuck reports whether a pod has had its grace period, and is still there: no new one starts.
func (s Singleton) Stuck(now time.Time) bool {
	return s.Left > 0 && !s.LeftUntil.IsZero() && now.After(s.LeftUntil)
}

// CronJob is a CronJob of the application as observed.
type CronJob struct {
	// Name of it; Exists is false if there is none, or Turnout may not read it.
	Name   string
	Exists bool

	// Repository of its image, as the spec names it; "" for the application's. Image is the one that
	// it has.
	Repository, Image string

	// UID and ResourceVersion of it.
	UID             types.UID
	ResourceVersion string

	// MovedBy is who gave it an image last, see [WorkersBy]; "" if Turnout did not.
	MovedBy string
}
