package deployer

import (
	"context"
	"fmt"

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

// lead writes the header into the standby route, once the first weight is in effect. Nothing waits
// for it. If it cannot be written, a finding says so, and later looks try again.
func (c cohorts) lead(ctx context.Context, a *attempt) error {
	shift, g := a.rel.Status.Shift, a.o.Routes.Gateway
	if !cohortWanted(a) || g == nil || shift.Cohort != nil && (shift.Cohort.Generation != 0 || shift.Cohort.EndedAt != nil) {
		return nil
	}
	if g.Standby.NoCohort != "" {
		a.finding(fmt.Sprintf("the header %s leads nobody to the new version: httproute %s cannot have it: %s",
			v1alpha1.CohortHeaderName, g.Standby.Name, g.Standby.NoCohort))
		return nil
	}
	if g.Standby.For != a.target() {
		return nil
	}
	if shift.Cohort == nil {
		shift.Cohort = &v1alpha1.ShiftCohort{IntendedAt: metav1.NewMicroTime(a.o.Now)}
		if err := c.save(ctx, a); err != nil {
			return err
		}
	}
	if !g.Standby.Cohort {
		if err := c.routes.LeadCohort(ctx, a.bg, a.o.Routes, a.target()); err != nil {
			a.log.WarnContext(ctx, "testers are not led to the canary yet", "error", err)
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
// there. From then on nobody is led to the target but by its share.
func (c cohorts) end(ctx context.Context, a *attempt) error {
	cohort := a.rel.Status.Shift.Cohort
	if cohort == nil || cohort.EndedAt != nil {
		return nil
	}
	if err := c.routes.EndCohort(ctx, a.bg, a.o.Routes, a.target()); err != nil {
		return err
	}
	if err := c.observe(ctx, a); err != nil {
		return err
	}
	now := metav1.NewMicroTime(a.o.Now)
	cohort.EndedAt, cohort.EndedIn = &now, a.o.Routes.Gateway.Standby.Generation
	return c.save(ctx, a)
}

func (c cohorts) observe(ctx context.Context, a *attempt) error {
	now, err := c.routes.Observe(ctx, a.bg)
	if err != nil {
		return err
	}
	a.o.Routes = now.DuringRelease(a.rel)
	return nil
}
