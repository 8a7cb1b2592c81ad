package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// cohorts lead a canary's testers to its target by a header, beside its share of the users. Their
// header is in the standby route, since only backendRefs of the users' route are Turnout's.
type cohorts struct {
	recorder
	routes interface {
		routesReader
		LeadCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) error
		EndCohort(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) error
	}
}

// cohortRoutes reads and writes the standby route.
type cohortRoutes struct {
	routesReader
	route.Divider
}

// lead writes the header into the standby route, once the first weight is in effect, and again when
// the owner has changed the application's route since. Nothing waits for it. If it cannot be
// written, a finding says so, and later looks try again.
func (c cohorts) lead(ctx context.Context, a *attempt) error {
	shift, g := a.rel.Status.Shift, a.o.Routes.Gateway
	if !cohortWanted(a) || g == nil || shift.Cohort != nil && (shift.Cohort.EndIntendedAt != nil || shift.Cohort.EndedAt != nil) {
		return nil
	}
	st := g.Standby
	switch led := shift.Cohort != nil && shift.Cohort.Generation == st.Generation; {
	case led && st.Cohort, a.o.Routes.Refused() != "", !st.Ours, st.For == a.target().Other():
		return nil // the step says what is refused, and keeps its weight
	case st.NoCohort != "":
		a.finding(fmt.Sprintf("the header %s leads nobody to the new version: httproute %s cannot have it: %s",
			v1alpha1.CohortHeaderName, st.Name, st.NoCohort))
		return nil
	}
	if shift.Cohort == nil {
		shift.Cohort = &v1alpha1.ShiftCohort{IntendedAt: metav1.NewMicroTime(a.o.Now)}
		if err := c.save(ctx, a); err != nil {
			return err
		}
	}
	if !st.Cohort {
		if err := c.routes.LeadCohort(ctx, a.bg, a.o.Routes, a.target()); err != nil {
			a.log.WarnContext(ctx, "testers are not led to the canary yet", "error", err)
			if route.WillNot(err) {
				a.finding(fmt.Sprintf("the header %s does not lead to the new version on every path: %v", v1alpha1.CohortHeaderName, err))
			}
		}
		if err := c.observe(ctx, a); err != nil {
			return err
		}
	}
	if st := a.o.Routes.Gateway.Standby; st.Cohort {
		shift.Cohort.Generation = st.Generation
		return c.save(ctx, a)
	}
	return nil
}

// cohortWanted reports whether testers are to be led to the target now.
func cohortWanted(a *attempt) bool {
	first := a.rel.Status.Shift.Weights[0]
	return a.bg.Spec.Canary != nil && a.bg.Spec.Canary.Cohort == v1alpha1.CohortHeader && first.EffectiveAt != nil
}

// end takes the header out of the standby route again, before users leave the target or all come
// there. From then on nobody is led to the target but by its share. If that has not come into
// effect for spec.deadlines.confirm, a finding says so and the release waits no longer: without a
// release under way [upkeeping] tries again, and a colour that testers are led to keeps its size.
// The error is the record's, or of reading the routes.
func (c cohorts) end(ctx context.Context, a *attempt) error {
	cohort := a.rel.Status.Shift.Cohort
	if cohort == nil || cohort.LeftAt != nil {
		return nil
	}
	now := metav1.NewMicroTime(a.o.Now)
	var trouble error
	if cohort.EndedAt == nil {
		if cohort.EndIntendedAt == nil {
			cohort.EndIntendedAt = &now // from here on nobody leads testers there again
			if err := c.save(ctx, a); err != nil {
				return err
			}
		}
		if trouble = c.routes.EndCohort(ctx, a.bg, a.o.Routes, a.target()); trouble == nil {
			if err := c.observe(ctx, a); err != nil {
				return err
			}
			cohort.EndedAt, cohort.EndedIn = &now, a.o.Routes.Gateway.Standby.Generation
		} else {
			a.log.WarnContext(ctx, "testers are still led to the canary", "error", trouble)
		}
		if err := c.save(ctx, a); err != nil {
			return err
		}
	}
	word := a.o.Routes.WordOnCohort(a.rel)
	if word.InEffect || a.o.Now.Before(leavesTestersAt(a, cohort)) {
		return nil
	}
	cohort.LeftAt = &now
	why := word.Text
	if trouble != nil {
		why = trouble.Error()
	}
	a.finding(fmt.Sprintf("the header %s may still lead to %s, after %s (spec.deadlines.confirm), and the release does not wait for that: %s",
		v1alpha1.CohortHeaderName, a.target(), a.bg.Spec.Deadlines.Confirm.Duration, why))
	return c.save(ctx, a)
}

// leavesTestersAt is when a release no longer waits for its testers. On the way back that is when
// people are told of users who may still be there, unless the weight 0 came later than that.
func leavesTestersAt(a *attempt, cohort *v1alpha1.ShiftCohort) time.Time {
	began, limit := a.o.Now, a.bg.Spec.Deadlines.Confirm.Duration
	if cohort.EndIntendedAt != nil {
		began = cohort.EndIntendedAt.Time
	} else if cohort.EndedAt != nil { // by an earlier version
		began = cohort.EndedAt.Time
	}
	late := a.entry().StartedAt.Add(limit)
	if a.rel.Status.Failure != nil && began.Before(late) {
		return late
	}
	return began.Add(limit)
}

func (c cohorts) observe(ctx context.Context, a *attempt) error {
	now, err := c.routes.Observe(ctx, a.bg)
	if err != nil {
		return err
	}
	a.o.Routes = now.DuringRelease(a.rel)
	return nil
}
