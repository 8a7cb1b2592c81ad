package deployer

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// An act's fields show what it can change or see: methods of clients, and whole clients if they
// are small. Four acts move users.
func TestActsHaveOnlyTheirClients(t *testing.T) {
	t.Parallel()
	got := map[v1alpha1.Step][]string{}
	for step, act := range bound() {
		got[step] = clientsOf(reflect.TypeOf(act))
	}
	want := map[v1alpha1.Step][]string{
		v1alpha1.StepBuild: strings.Fields(`
			*registry.Client client.Reader cloudbuild.Pace deployer.Google deployer.Source ledger.Meet
			releases.UpdateRelease`),
		v1alpha1.StepContract: strings.Fields(`
			deployer.Observer
			jobs.Create jobs.Delete jobs.Log jobs.Observe jobs.Others jobs.Plan jobs.Resume jobs.Stop
			record.Releases record.UpdateApplication releases.UpdateRelease`),
		v1alpha1.StepExpand: strings.Fields(`
			jobs.Create jobs.Delete jobs.Log jobs.Observe jobs.Others jobs.Plan jobs.Resume jobs.Stop
			releases.UpdateRelease`),
		v1alpha1.StepAttach: strings.Fields(`
			client.Reader
			releases.UpdateRelease
			routes.Attach routes.CheckTranslation routes.Detach routes.NamesHealthCheck routes.News routes.Observe
			routes.ReadyEndpoints routes.Referrers
			workloads.CreateMissing workloads.Drift workloads.Evidence workloads.RaiseMinimum workloads.Stage
			workloads.Unprotected`),
		v1alpha1.StepStage: strings.Fields(`
			client.Reader
			releases.UpdateRelease
			routes.Referrers
			workloads.Evidence workloads.RaiseMinimum workloads.Scale workloads.Stage`),
		v1alpha1.StepSize: strings.Fields(`
			client.Reader
			releases.UpdateRelease
			routes.Attach routes.CheckTranslation routes.Detach routes.News routes.Observe
			workloads.Evidence workloads.RaiseMinimum workloads.Scale workloads.Stage`),
		v1alpha1.StepWarm: strings.Fields(`
			releases.UpdateRelease
			routes.News routes.Poke`),
		v1alpha1.StepVerify: strings.Fields(`
			*url.URL deployer.Observer gate.Access
			routes.StandbyHeader`),
		v1alpha1.StepPromote: strings.Fields(`deployer.Source ledger.Meet`),
		v1alpha1.StepShift: strings.Fields(`
			*deployer.calls *deployer.probers *url.URL client.Reader deployer.Google deployer.Observer gate.Access
			releases.UpdateRelease
			routes.CheckTranslation routes.EndCohort routes.GroupStates routes.LeadCohort routes.News routes.Observe routes.Shift
			workloads.Evidence workloads.HoldMinimum workloads.RaiseMinimum workloads.Scale workloads.Stamp`),
		v1alpha1.StepWithdraw: strings.Fields(`
			releases.UpdateRelease
			routes.EndCohort routes.Fence routes.LeadCohort routes.Observe routes.Shift`),
		v1alpha1.StepSwitch: strings.Fields(`
			*deployer.probers *url.URL deployer.Observer gate.Access record.UpdateApplication releases.UpdateRelease
			routes.CheckTranslation routes.News routes.Observe routes.Ports routes.Switch
			workloads.HoldMinimum workloads.Stamp`),
		v1alpha1.StepConfirm: strings.Fields(`
			*deployer.asks *deployer.probers *url.URL *urlmap.Client client.Reader deployer.Observer gate.Access
			routes.GroupStates routes.News routes.Poke`),
		v1alpha1.StepSoak: strings.Fields(`
			*deployer.calls *url.URL client.Reader deployer.Google gate.Access
			routes.GroupStates
			workloads.Evidence`),
		v1alpha1.StepWorkers: strings.Fields(`
			*deployer.probers *url.URL deployer.Observer gate.Access releases.UpdateRelease
			workers.CreateMissing workers.Evidence workers.Start workers.Stop`),
		v1alpha1.StepRecall:     strings.Fields(`releases.UpdateRelease workers.Recall workers.Start`),
		v1alpha1.StepSingletons: strings.Fields(`releases.UpdateRelease workers.SetCronJob workers.SetImage`),
		v1alpha1.StepRelieve:    strings.Fields(`workers.Stop`),
		v1alpha1.StepRestore: strings.Fields(`
			deployer.Observer gate.Access record.UpdateApplication releases.UpdateRelease
			routes.Fence routes.News routes.Observe routes.Ports routes.ReadyEndpoints routes.Switch
			workloads.HoldMinimum workloads.Stamp`),
		v1alpha1.StepDiscard: strings.Fields(`
			*deployer.calls client.Reader deployer.Google record.Release
			routes.Referrers
			workloads.ReadSize workloads.RestoreMinimum workloads.Shrink workloads.StagedBy`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the acts have other clients (-want +got):\n%s", diff)
	}
}

// clientsOf are the clients in the fields of a struct, and in those of the structs of this
// package that it contains.
func clientsOf(s reflect.Type) []string {
	var all []string
	for f := range s.Fields() {
		switch of := f.Type; {
		case of.Kind() == reflect.Interface && of.Name() != "" && of.NumMethod() > 1:
			all = append(all, of.String())
		case of.Kind() == reflect.Interface:
			for m := range of.Methods() {
				all = append(all, f.Name+"."+m.Name)
			}
		case of.PkgPath() == s.PkgPath() && of.Kind() == reflect.Struct:
			all = append(all, clientsOf(of)...)
		case of.Kind() == reflect.Pointer, of.PkgPath() != s.PkgPath() && of.Kind() == reflect.Struct:
			all = append(all, of.String())
		case of.Kind() == reflect.Func, of.Kind() == reflect.Map, of.Kind() == reflect.Chan:
			all = append(all, f.Name+" "+of.String()) // which may hide anything
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A look and its release are data: they contain no client.
func TestWorkHoldsNoClient(t *testing.T) {
	t.Parallel()
	for _, of := range typesIn(reflect.TypeFor[attempt]()) {
		switch {
		case of == reflect.TypeFor[error](), of == reflect.TypeFor[context.CancelFunc]():
		case of == reflect.TypeFor[Deployer](),
			of.Kind() == reflect.Interface && of.NumMethod() > 0, of.Kind() == reflect.Func, isEdge(of):
			t.Errorf("attempt reaches %s", of)
		}
	}
}

// Access to the Deployer is access to every client.
func TestNothingThatIsWiredReachesTheDeployer(t *testing.T) {
	t.Parallel()
	all := typesIn(reflect.TypeFor[looking]())
	for _, act := range bound() {
		all = append(all, typesIn(reflect.TypeOf(act))...)
	}
	if len(all) < 100 {
		t.Fatalf("only %d types are reached", len(all))
	}
	if slices.Contains(all, reflect.TypeFor[Deployer]()) {
		t.Error("the Deployer is reached")
	}
}

// isEdge reports whether a type is of a package that talks to the world.
func isEdge(of reflect.Type) bool {
	return slices.ContainsFunc([]string{
		module + "record", module + "deployer/route", module + "deployer/workload", module + "deployer/gate", module + "deployer/proof",
		module + "deployer/cloudbuild", module + "deployer/registry", module + "deployer/preflight", module + "deployer/urlmap",
		module + "deployer/analysis",
		"sigs.k8s.io/controller-runtime/pkg/client", "k8s.io/client-go", "cloud.google.com",
	}, func(pkg string) bool { return of.PkgPath() == pkg || strings.HasPrefix(of.PkgPath(), pkg+"/") })
}

// typesIn are the types that a value of a type may contain. Types of other modules are not
// opened.
func typesIn(of reflect.Type) []reflect.Type {
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			visit(t.Elem())
		case reflect.Map:
			visit(t.Key())
			visit(t.Elem())
		case reflect.Struct:
			for f := range t.Fields() {
				if t.PkgPath() == "" || strings.HasPrefix(t.PkgPath(), module) {
					visit(f.Type)
				}
			}
		default: // no inner types
		}
	}
	visit(of)
	return slices.Collect(maps.Keys(seen))
}

const module = "github.com/turnout-dev/turnout/"
