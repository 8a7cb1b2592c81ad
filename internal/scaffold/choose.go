package scaffold

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/imageref"
)

// running is the application as it runs: where users come from, and where they end.
type running struct {
	deployment *appsv1.Deployment
	// service may be nil, and ingress and route: users come through one of these.
	service *corev1.Service
	ingress *networkingv1.Ingress
	route   *httpRoute
	// container that gets the image.
	container *corev1.Container
	// color that it is, or becomes, by the label.
	color v1alpha1.Color
	label string
	// labelled: every pod of the deployment has the label.
	labelled bool
}

// choose finds what runs the application: the only Deployment whose pods a Service selects that
// an Ingress or an HTTPRoute names. It is nil if nothing runs it yet.
func choose(n *Namespace, s *Source, o Options) (*running, error) {
	if n == nil || o.New {
		return nil, nil
	}
	if err := known(n, o); err != nil {
		return nil, err
	}
	ways := waysOf(n, o)
	if len(ways) == 0 {
		return nil, noWay(n, o)
	}
	if bg := n.adopted(ways[0].deployment.Name, nameOf(ways[0].service)); bg != nil {
		return nil, fmt.Errorf("bluegreen %s of namespace %s already releases deployment %s: --deployment names another one, or --new writes an "+
			"application beside it", bg.Name, n.Name, ways[0].deployment.Name)
	}
	if err := onlyOne(ways, n.Name); err != nil {
		return nil, err
	}
	r := ways[0]
	r.paint()
	var err error
	if r.container, err = containerOf(r.deployment, s, o); err != nil {
		return nil, err
	}
	if r.deployment.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType && usesClaims(r.deployment) {
		return nil, fmt.Errorf("deployment %s has the strategy Recreate and a persistentVolumeClaim: two versions of it probably must not "+
			"run at once, but with two colours they do. Change the program so that they can, then change spec.strategy", r.deployment.Name)
	}
	return &r, nil
}

// known reports flags that name what is not there.
func known(n *Namespace, o Options) error {
	var unknown []error
	if o.Deployment != "" && n.deployment(o.Deployment) == nil {
		unknown = append(unknown, fmt.Errorf("--deployment: namespace %s has no deployment %s", n.Name, o.Deployment))
	}
	if o.Service != "" && n.service(o.Service) == nil {
		unknown = append(unknown, fmt.Errorf("--service: namespace %s has no service %s", n.Name, o.Service))
	}
	if o.Route != "" && !slices.ContainsFunc(n.Routes, func(r httpRoute) bool { return r.Name == o.Route }) {
		unknown = append(unknown, fmt.Errorf("--route: namespace %s has no httproute %s", n.Name, o.Route))
	}
	if o.Ingress != "" && !slices.ContainsFunc(n.Ingresses, func(i networkingv1.Ingress) bool { return i.Name == o.Ingress }) {
		unknown = append(unknown, fmt.Errorf("--ingress: namespace %s has no ingress %s", n.Name, o.Ingress))
	}
	return errors.Join(unknown...)
}

// waysOf are the ways of users to a Deployment that the flags allow. Those through an Ingress
// or an HTTPRoute go before those that end at a Service, and these before Deployments that nobody reaches.
func waysOf(n *Namespace, o Options) []running {
	var through, without []running
	for i := range n.Services {
		service := &n.Services[i]
		if o.Service != "" && service.Name != o.Service || len(service.Spec.Selector) == 0 {
			continue
		}
		for j := range n.Deployments {
			d := &n.Deployments[j]
			if o.Deployment != "" && d.Name != o.Deployment || !selects(service.Spec.Selector, d.Spec.Template.Labels) {
				continue
			}
			without = append(without, running{deployment: d, service: service})
			through = append(through, enteredBy(n, o, running{deployment: d, service: service})...)
		}
	}
	// What is adopted already is not meant, unless somebody names it.
	free := slices.DeleteFunc(slices.Clone(through), func(r running) bool { return n.adopted(r.deployment.Name, r.service.Name) != nil })
	switch {
	case len(free) > 0:
		return free
	case len(through) > 0:
		return through
	case o.Ingress != "", o.Route != "":
		return nil
	case len(without) > 0:
		return without
	}
	return unreached(n, o)
}

// enteredBy are the ways of users to a Service, through Ingresses and HTTPRoutes.
func enteredBy(n *Namespace, o Options, to running) []running {
	var all []running
	for k := range n.Ingresses {
		if in := &n.Ingresses[k]; (o.Ingress == "" || in.Name == o.Ingress) && o.Route == "" && routesTo(in, to.service.Name) {
			way := to
			way.ingress = in
			all = append(all, way)
		}
	}
	for k := range n.Routes {
		r := &n.Routes[k]
		if _, leads := r.Services[to.service.Name]; leads && (o.Route == "" || r.Name == o.Route) && o.Ingress == "" {
			way := to
			way.route = r
			all = append(all, way)
		}
	}
	return all
}

// unreached are Deployments that no Service selects.
func unreached(n *Namespace, o Options) []running {
	var all []running
	for i := range n.Deployments {
		if o.Service == "" && (o.Deployment == "" || n.Deployments[i].Name == o.Deployment) {
			all = append(all, running{deployment: &n.Deployments[i]})
		}
	}
	return all
}

// noWay is the error if the flags leave nothing; without any Deployment there is none.
func noWay(n *Namespace, o Options) error {
	if o.Deployment == "" && o.Service == "" && o.Ingress == "" && o.Route == "" {
		return nil
	}
	return fmt.Errorf("--deployment, --service, --ingress and --route do not belong together in namespace %s: leave one out, and the error "+
		"lists what there is", n.Name)
}

// onlyOne refuses to guess among several.
func onlyOne(ways []running, namespace string) error {
	kinds := []struct {
		flag, kind string
		of         func(running) string
	}{
		{"--deployment", "Deployments that may be meant", func(r running) string { return r.deployment.Name }},
		{"--service", "Services", func(r running) string { return nameOf(r.service) }},
		{"--ingress", "Ingresses", func(r running) string {
			if r.ingress == nil {
				return ""
			}
			return r.ingress.Name
		}},
		{"--route", "HTTPRoutes", func(r running) string {
			if r.route == nil {
				return ""
			}
			return r.route.Name
		}},
	}
	for _, k := range kinds {
		var all []string
		for _, r := range ways {
			if name := k.of(r); !slices.Contains(all, name) && (name != "" || k.flag == "--service") {
				all = append(all, k.of(r))
			}
		}
		if len(all) > 1 {
			return fmt.Errorf("%s: namespace %s has several %s: %s. Name one; --new is for an application that does not run yet", k.flag,
				namespace, k.kind, names(all))
		}
	}
	in := slices.IndexFunc(ways, func(r running) bool { return r.ingress != nil })
	by := slices.IndexFunc(ways, func(r running) bool { return r.route != nil })
	if in >= 0 && by >= 0 {
		return fmt.Errorf("--ingress or --route: users reach service %s of namespace %s through ingress %s and through httproute %s, and a "+
			"release moves those of one: name it, and route the others the same way", ways[in].service.Name, namespace, ways[in].ingress.Name,
			ways[by].route.Name)
	}
	return nil
}

// paint finds the colour and its label. The label version is used unless it says something else.
func (r *running) paint() {
	d := r.deployment
	r.label, r.color = defaultLabel, v1alpha1.Blue
	for _, has := range []map[string]string{d.Spec.Template.Labels, serviceSelector(r.service)} {
		if v, ok := has[defaultLabel]; ok && v != string(v1alpha1.Blue) && v != string(v1alpha1.Green) {
			r.label = otherLabel
		}
	}
	switch v := v1alpha1.Color(d.Spec.Template.Labels[r.label]); {
	case v == v1alpha1.Blue || v == v1alpha1.Green:
		r.color, r.labelled = v, true
	case strings.HasSuffix(d.Name, "-"+string(v1alpha1.Green)):
		r.color = v1alpha1.Green
	}
}

const (
	defaultLabel = "version"
	otherLabel   = "turnout.dev/color"
)

// containerOf is the container that gets the image: the only one, or the one whose image the
// build makes.
func containerOf(d *appsv1.Deployment, s *Source, o Options) (*corev1.Container, error) {
	all := d.Spec.Template.Spec.Containers
	var built, known []string
	if s.Build != nil {
		for _, image := range s.Build.Build.GetImages() {
			built = append(built, lastOf(image))
		}
	}
	var fit []*corev1.Container
	for i := range all {
		known = append(known, all[i].Name)
		if all[i].Name == o.Container || o.Container == "" && (len(all) == 1 || slices.Contains(built, lastOf(all[i].Image))) {
			fit = append(fit, &all[i])
		}
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	return nil, fmt.Errorf("--container: deployment %s has the containers %s: name the one that gets the image", d.Name, names(known))
}

// lastOf is the last segment of an image's name, without its tag.
func lastOf(image string) string {
	name := imageref.Repository(image)
	return name[strings.LastIndex(name, "/")+1:]
}

func usesClaims(d *appsv1.Deployment) bool {
	return slices.ContainsFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
}

func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

func serviceSelector(s *corev1.Service) map[string]string {
	if s == nil {
		return nil
	}
	return s.Spec.Selector
}

func nameOf(s *corev1.Service) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// backendsOf are the backends of an Ingress.
func backendsOf(in *networkingv1.Ingress) []networkingv1.IngressServiceBackend {
	var all []networkingv1.IngressServiceBackend
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			all = append(all, *b.Service)
		}
	}
	add(in.Spec.DefaultBackend)
	for _, rule := range in.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			add(&rule.HTTP.Paths[i].Backend)
		}
	}
	return all
}

func routesTo(in *networkingv1.Ingress, service string) bool {
	return slices.ContainsFunc(backendsOf(in), func(b networkingv1.IngressServiceBackend) bool { return b.Name == service })
}
