package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// alike warns of colours whose BackendConfigs differ: a switch would then change Cloud Armor,
// IAP, timeouts and draining.
func alike(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	var all []v1alpha1.Finding
	for _, port := range f.ports() {
		live, liveConfig, known := f.configOf(f.live(), port)
		name, config, otherKnown := f.configOf(f.live().Other(), port)
		if !known || !otherKnown || live == name || equality.Semantic.DeepEqual(liveConfig.Spec, config.Spec) {
			continue
		}
		// The older annotation counts if the newer one is missing.
		key, give := configAnnotation, ""
		if live != "" {
			_, liveKey, _ := route.ConfigName(f.service(f.live()), route.FindPort(f.service(f.live()), port))
			give = f.service(f.live()).Annotations[liveKey]
		} else {
			other := f.service(f.live().Other())
			_, key, _ = route.ConfigName(other, route.FindPort(other, port))
		}
		all = append(all, f.unlike("ConfigsUnlike", key, give, "%s and service %s %s, which differ in %s",
			names(name), f.App.Side(f.live()).Service, names(live), difference(config.Spec, liveConfig.Spec)))
	}
	return all
}

// protocolsAlike warns of colours with different load balancer protocols. A health check on a
// port of its own stays healthy while users get errors.
func protocolsAlike(f Facts) []v1alpha1.Finding {
	live, other := f.service(f.live()), f.service(f.live().Other())
	if !f.gce() || live == nil || other == nil {
		return nil
	}
	var all []v1alpha1.Finding
	for _, port := range f.ports() {
		p, q := route.FindPort(live, port), route.FindPort(other, port)
		if p == nil || q == nil {
			continue
		}
		liveSpeaks, liveKey, err := route.AppProtocol(live, p)
		speaks, key, otherErr := route.AppProtocol(other, q)
		if err != nil || otherErr != nil || liveSpeaks == speaks {
			continue
		}
		// The older of the two annotations counts, so change the one that the other Service has.
		finding := f.unlike("ProtocolsUnlike", cmp.Or(key, liveKey), live.Annotations[liveKey],
			"the load balancer would use %s for port %s of this service, but it uses %s for that of service %s",
			speaks, track.PortText(port), liveSpeaks, live.Name)
		if p.Name != q.Name {
			finding.Message += fmt.Sprintf(" (the annotation uses the port's name, which is %q here and %q there)", q.Name, p.Name)
		}
		all = append(all, finding)
	}
	return all
}

// balancing are annotations of a Service that make the load balancer send its pods more or fewer
// requests, or check them differently (ingress-gce pkg/controller/translator/translator.go,
// setTrafficScaling, setThcOptInOnSvc).
var balancing = []string{
	"networking.gke.io/max-rate-per-endpoint", "networking.gke.io/capacity-scaler",
	"networking.gke.io/transparent-health-checker",
}

// balancedAlike warns of colours that differ in one of these annotations.
func balancedAlike(f Facts) []v1alpha1.Finding {
	live, other := f.service(f.live()), f.service(f.live().Other())
	if !f.gce() || live == nil || other == nil {
		return nil
	}
	var all []v1alpha1.Finding
	for _, key := range balancing {
		if live.Annotations[key] != other.Annotations[key] {
			all = append(all, f.unlike("BalancingUnlike", key, live.Annotations[key], "the annotation is %s here and %s at service %s",
				cmp.Or(other.Annotations[key], "not set"), cmp.Or(live.Annotations[key], "not set"), live.Name))
		}
	}
	return all
}

// fieldsAlike warns of colours whose Services differ in a field that decides which pods get
// requests.
func fieldsAlike(f Facts) []v1alpha1.Finding {
	live, other := f.service(f.live()), f.service(f.live().Other())
	if live == nil || other == nil {
		return nil
	}
	var all []v1alpha1.Finding
	add := func(field string, own, lives any, what string) {
		if own == lives {
			return
		}
		all = append(all, f.about("service", other.Name).warning("FieldsUnlike", "spec."+field,
			"it is %v here and %v at service %s: %s. Give both the same", own, lives, live.Name, what).
			With(v1alpha1.Merge("service", other.Name, f.App.Namespace, map[string]any{"spec": map[string]any{field: lives}})))
	}
	add("publishNotReadyAddresses", other.Spec.PublishNotReadyAddresses, live.Spec.PublishNotReadyAddresses,
		"with true, requests go to pods that are not ready")
	if open := func(s *corev1.Service) bool {
		return s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer
	}; f.gce() && open(live) && open(other) && !route.UsesNEGs(live) && !route.UsesNEGs(other) {
		cluster := corev1.ServiceExternalTrafficPolicyCluster
		add("externalTrafficPolicy", cmp.Or(other.Spec.ExternalTrafficPolicy, cluster), cmp.Or(live.Spec.ExternalTrafficPolicy, cluster),
			"with Local, only the nodes that run a pod answer the load balancer")
		add("sessionAffinity", cmp.Or(other.Spec.SessionAffinity, corev1.ServiceAffinityNone),
			cmp.Or(live.Spec.SessionAffinity, corev1.ServiceAffinityNone), "with ClientIP, a node sends all its requests to one pod")
	}
	return all
}

// unlike is a finding about an annotation of the idle colour. No user reaches that colour, so it
// is the one to change: it gets the live one's value, or loses its own if that is "".
func (f Facts) unlike(reason, key, give, format string, args ...any) v1alpha1.Finding {
	other := f.App.Side(f.live().Other()).Service
	how := v1alpha1.Kubectl("annotate", "service", other, f.App.Namespace, key+"-")
	if give != "" {
		how = annotate(f.App, other, key, give)
	}
	return f.about("service", other).warning(reason, "metadata.annotations["+key+"]",
		"%s: users would notice that after a switch. Give both the same annotation", fmt.Sprintf(format, args...)).With(how)
}

func names(config string) string {
	if config == "" {
		return "names no BackendConfig"
	}
	return "names the BackendConfig " + config
}

// difference lists the fields in which two specs differ.
func difference(a, b map[string]any) string {
	keys := slices.Sorted(maps.Keys(a))
	keys = slices.AppendSeq(keys, maps.Keys(b))
	slices.Sort(keys)
	keys = slices.DeleteFunc(slices.Compact(keys), func(k string) bool { return equality.Semantic.DeepEqual(a[k], b[k]) })
	for i, k := range keys {
		keys[i] = "spec." + k
	}
	return strings.Join(keys, ", ")
}
