package track

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// WayClosed says since when and why nobody returns to a version.
func WayClosed(by *v1alpha1.ContractStatus, to v1alpha1.Version) string {
	why := "the contract " + by.Release + " removed from the database what it needs"
	switch {
	case !by.Closed():
		why = "a contract before " + by.Release + " removed from the database what it needs"
	case by.DoneBy != "":
	case by.Outcome == v1alpha1.MigrationFailed:
		why = "the contract " + by.Release + " failed, and may have removed from the database what it needs"
	case by.Outcome == v1alpha1.MigrationUnknown:
		why = "nobody knows what the contract " + by.Release + " removed from the database"
	case by.Outcome == "":
		why = "the contract " + by.Release + " is removing from the database what it needs"
	}
	return fmt.Sprintf("the way back to %s is closed since %s: %s", to.Short(), prose.Minute(by.ClosedAt().Time), why)
}

// Unproven is the last change of the schema since users left the version that a rollback returns to;
// nil if there was none, or if it is not known when they did. That version was never live with it.
func Unproven(bg *v1alpha1.BlueGreen, r *v1alpha1.Release) *v1alpha1.SchemaChange {
	return bg.Status.Unproven(r.Spec.Rollback)
}
