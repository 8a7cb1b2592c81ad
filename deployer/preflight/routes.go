package preflight

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// hosts warns of hosts with two rules. On Google's load balancer the later rule replaces the
// earlier one, with all its paths (ingress-gce pkg/utils/gceurlmap.go:97-128).
func hosts(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	rule := map[string]string{} // the one in use, by its host
	lost := map[string]bool{}   // rules that are replaced
	var all []v1alpha1.Finding
	for _, b := range route.AllBackends(f.Routes) {
		at, found := ruleOf(b)
		if !found {
			continue
		}
		earlier, taken := rule[b.Host]
		rule[b.Host] = at
		if !taken || earlier == at {
			continue
		}
		lost[earlier] = true
		all = append(all, f.about("ingress", f.Routes.Name).warning("Hosts", earlier,
			"%s is for the same host as this one, %s, and Google's load balancer uses only the later one: put the paths of both into one",
			at, cmp.Or(b.Host, "any")).With(edit(f.App, "ingress", f.Routes.Name)))
	}
	// If none of our routes is in use, a switch would move nobody.
	unused := !slices.ContainsFunc(f.Routes.Users[f.live()], func(b track.Backend) bool {
		at, found := ruleOf(b)
		return !found || !lost[at]
	})
	if unused {
		for i := range all {
			all[i].Severity = v1alpha1.SeverityError
		}
	}
	return all
}

var ruleField = regexp.MustCompile(`^spec\.rules\[\d+\]`)

// ruleOf is the rule that contains a backend, such as "spec.rules[1]"; found is false if none
// does.
func ruleOf(b track.Backend) (rule string, found bool) {
	rule = ruleField.FindString(fieldOf(b))
	return rule, rule != ""
}

// classAnnotation is how GKE recognises its Ingresses.
const classAnnotation = "kubernetes.io/ingress.class"

// class warns of an Ingress whose class GKE does not read.
func class(f Facts) []v1alpha1.Finding {
	const field = "metadata.annotations[" + classAnnotation + "]"
	named := strings.HasPrefix(f.Ingress.ClassName, "gce")
	ingress := f.about("ingress", f.Routes.Name)
	annotate := func(class string) v1alpha1.ShellCommand {
		return v1alpha1.Annotate("ingress", f.Routes.Name, f.App.Namespace, classAnnotation, class)
	}
	switch {
	case f.Ingress.Class != "":
		return nil
	case f.gce():
		return []v1alpha1.Finding{ingress.warning("Class", field,
			"the class is not set, and GKE ignores spec.ingressClassName, so another controller may also handle this ingress: set it to the class "+
						"that GKE uses").
			With(annotate("gce"))} // another class would mean another load balancer, without any user
	case named && f.Routes.Gateway == nil:
		return []v1alpha1.Finding{ingress.warning("Class", "spec.ingressClassName",
			"GKE ignores it, so Turnout does not treat the load balancer as Google's until there is a URL map: set the annotation %s",
			classAnnotation).
			With(annotate(cmp.Or(gceClass(f.Ingress.ClassName), "gce")))}
	}
	return nil
}

// gceClass is the name if it is a class of GKE's, otherwise "".
func gceClass(name string) string {
	if name == "gce" || name == "gce-internal" || name == "gce-regional-external" {
		return name
	}
	return ""
}

// users finds other Ingresses that send users to one of the colours.
func users(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, u := range f.Users {
		ingress, service := f.about("ingress", u.Ingress), f.App.Side(u.Color).Service
		change := edit(f.App, "ingress", u.Ingress)
		if u.Color == f.live() {
			all = append(all, ingress.warning("Shared", "spec",
				"it sends the users of %s to service %s, which is live: a switch moves only the users of %s, and no later release runs "+
					"as long as these users are sent there: route them through %s, or elsewhere",
				u.Route, service, f.Routes, f.Routes).With(change))
			continue
		}
		all = append(all, ingress.fault("TargetInUse", "spec",
			"it sends the users of %s to service %s, the %s side, where the next version is staged before it passes its gate: route those "+
				"users elsewhere", u.Route, service, u.Color).With(change))
	}
	return all
}

// standbyHost warns of a standby host through which anybody can reach the idle version.
func standbyHost(f Facts) []v1alpha1.Finding {
	host := f.App.Spec.Ingress.StandbyHost
	if host == "" || len(f.Resolved) == 0 {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("StandbyHost", "spec.ingress.standbyHost",
		"%s resolves to %s, so anybody can reach the idle version, even before it passes its gate: protect it, or use the default, "+
			"which nobody can resolve",
		host, f.Resolved[0]).With(patchApp(f.App, map[string]any{"ingress": map[string]any{"standbyHost": nil}}))}
}
