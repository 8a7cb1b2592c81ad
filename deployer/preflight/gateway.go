package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// byGKE reports whether one of GKE's Gateways is a parent of the route.
func byGKE(f Facts) bool {
	return f.Routes.Gateway != nil &&
		slices.ContainsFunc(f.Routes.Gateway.Parents, func(p track.Parent) bool { return p.Controller == track.GKEGateway })
}

// refused finds the fields of the route that keep Turnout from moving users.
func refused(f Facts) []v1alpha1.Finding {
	if f.Routes.Gateway == nil {
		return nil
	}
	var all []v1alpha1.Finding
	for _, r := range f.Routes.Gateway.Refusals {
		all = append(all, f.about("httproute", f.Routes.Name).fault(r.Reason, r.Field, "%s",
			r.Text).With(edit(f.App, "httproute", f.Routes.Name)))
	}
	if st := f.Routes.Gateway.Standby; st.Exists && !st.Ours {
		all = append(all, f.about("httproute", st.Name).fault("StandbyTaken", "metadata.ownerReferences",
			"is not Turnout's, which needs a route of this name for the idle colour: remove it, or give it another name"))
	}
	return all
}

// parents finds Gateways that would not carry out a switch.
func parents(f Facts) []v1alpha1.Finding {
	if f.Routes.Gateway == nil {
		return nil
	}
	object := f.about("httproute", f.Routes.Name)
	accepted := track.Accepted(f.Routes.Gateway.Parents)
	if len(accepted) == 0 {
		return []v1alpha1.Finding{object.fault("NotAccepted", "status.parents",
			"no Gateway has accepted the route, so a switch would have no effect: correct spec.parentRefs, or the Gateway's listeners")}
	}
	var all []v1alpha1.Finding
	for _, p := range f.Routes.Gateway.Parents {
		if slices.Contains(accepted, p.Key()) {
			if word := track.Hear([]track.Parent{p}, []string{p.Key()}, 0); word.Refused {
				all = append(all, object.fault("NotResolved", "status.parents", "%s: fix that, or a Gateway may not take up any change of the route",
					word.Text))
			}
		}
	}
	return all
}

// classic is GKE's classic load balancer, which cannot weigh backends
// (cloud.google.com/kubernetes-engine/docs/how-to/gatewayclass-capabilities) [unverified].
const classic = "gke-l7-gxlb"

// classes finds Gateways that cannot weigh, and those of which that is not known.
func classes(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for parent, class := range f.Gateways.Classes {
		if class == classic || strings.HasPrefix(class, classic+"-") {
			all = append(all, f.about("httproute", f.Routes.Name).fault("Class", "spec.parentRefs",
				"%s is of class %s, which cannot divide users between two Services: use gke-l7-global-external-managed", parent, class))
		}
	}
	if f.App.Spec.Canary == nil || !byGKE(f) { // the weights of any other controller are part of the Gateway API's core
		return all
	}
	for _, parent := range f.Gateways.Unread {
		all = append(all, f.about("httproute", f.Routes.Name).warning("ClassUnread", "spec.parentRefs",
			"%s cannot be read, so its class is not known, and one of class %s would not divide users by the weights of spec.canary: "+
				"let Turnout get gateways in that namespace, or look at its spec.gatewayClassName yourself", parent, classic))
	}
	return all
}

// policies finds differences in how GKE's load balancer would treat the two colours, since a
// policy targets a Service.
func policies(f Facts) []v1alpha1.Finding {
	if !byGKE(f) {
		return nil
	}
	var all []v1alpha1.Finding
	live, other := f.live(), f.live().Other()
	service := func(c v1alpha1.Color) string { return f.App.Side(c).Service }
	switch a, b := f.Gateways.Health[live], f.Gateways.Health[other]; {
	case a == nil && b == nil:
		all = append(all, f.about("service", service(live)).warning("HealthCheckPolicy", "",
			"has no HealthCheckPolicy, and neither has %s: GKE requests / from every pod, whatever its readiness probe is, and sends nobody to one "+
				"that does not answer 200: create one for both", service(other)))
	case a == nil || b == nil:
		with, without := live, other
		if a == nil {
			with, without = other, live
		}
		all = append(all, f.about("service", service(without)).fault("HealthCheckPolicy", "",
			"has no HealthCheckPolicy, but %s has one: GKE would request / from its pods: create the same for both", service(with)))
	case !reflect.DeepEqual(a, b):
		all = append(all, f.about("service", service(other)).warning("HealthCheckPolicy", "",
			"has another HealthCheckPolicy than %s, which is live: make them alike", service(live)))
	}
	all = append(all, affinity(f)...)
	a, b := fieldsOf(f.Gateways.Backend[live]), fieldsOf(f.Gateways.Backend[other])
	object := f.about("service", service(other))
	for _, field := range []string{"securityPolicy", "iap"} {
		if !reflect.DeepEqual(a[field], b[field]) {
			all = append(all, object.fault("GCPBackendPolicy", "",
				"has another spec.default.%s in its GCPBackendPolicy than %s, which is live, so a switch would change who may reach the "+
					"application: make them alike", field, service(live)))
		}
		delete(a, field)
		delete(b, field)
	}
	if !reflect.DeepEqual(a, b) {
		all = append(all, object.warning("GCPBackendPolicy", "", "has another GCPBackendPolicy than %s, which is live: make them alike",
			service(live)))
	}
	return all
}

// affinity finds what keeps the users of a canary with the colour that they had: weights
// place only new sessions.
func affinity(f Facts) []v1alpha1.Finding {
	if f.App.Spec.Canary == nil {
		return nil
	}
	var all []v1alpha1.Finding
	for _, c := range both {
		settings, _ := fieldsOf(f.Gateways.Backend[c])["sessionAffinity"].(map[string]any)
		if kind, _ := settings["type"].(string); kind != "" && kind != "NONE" {
			all = append(all, f.about("service", f.App.Side(c).Service).fault("SessionAffinity", "",
				"has spec.default.sessionAffinity %s in its GCPBackendPolicy, so that the weights of spec.canary would place only new sessions, and "+
					"users would stay with a version that was taken back: remove it, or remove spec.canary", kind))
		}
	}
	return all
}

// fieldsOf are the settings of a GCPBackendPolicy, as a copy.
func fieldsOf(spec map[string]any) map[string]any {
	all := map[string]any{}
	settings, _ := spec["default"].(map[string]any)
	maps.Copy(all, settings)
	return all
}

// otherRoutes finds other routes that send users to one of the colours.
func otherRoutes(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	if kinds := f.Gateways.Unseen; len(kinds) > 0 {
		all = append(all, f.about("httproute", f.Routes.Name).warning("RoutesUnseen", "",
			"only namespace %s is searched for routes to service %s and %s, since Turnout may list no %ss of other namespaces: if a "+
				"ReferenceGrant lets any lead there, look at them yourself", f.App.Namespace, f.App.Side(v1alpha1.Blue).Service,
			f.App.Side(v1alpha1.Green).Service, strings.Join(kinds, "s, ")))
	}
	for _, c := range both {
		for _, u := range f.Gateways.Others[c] {
			object, service := about{fmt.Sprintf("%s %s/%s", u.Kind, u.Namespace, u.Name)}, f.App.Side(c).Service
			if c == f.live() {
				all = append(all, object.warning("Shared", "spec",
					"it sends users to service %s, which is live: a switch moves only the users of %s, and no later release runs while these are "+
						"sent there: route them through %s, or elsewhere", service, f.Routes, f.Routes))
				continue
			}
			all = append(all, object.fault("TargetInUse", "spec",
				"it sends users to service %s, the %s side, where the next version is staged before it has passed its gate: route those users "+
					"elsewhere", service, c))
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.Finding) int { return cmp.Compare(a.Object, b.Object) })
	return all
}
