package route

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// madeAnnotation is where GKE's controller lists the backend services that it created for a
// Gateway, as seen in public outputs of kubectl describe:
// "/projects/929711803146/global/backendServices/gkegw1-nv9e-exercises-gw-serve404-80-t9htdxlbxe5i, ...".
// Google does not document it [unverified].
const madeAnnotation = "networking.gke.io/backend-services"

// ParentGateway is a Gateway that a route has as a parent.
type ParentGateway struct {
	// Ref names it as [track.Parent] does, without a listener: "gateway edge/outside".
	Ref string
	// Readable reports whether it exists and Turnout may get it. Otherwise the rest is unknown.
	Readable bool
	// Class is its gatewayClassName.
	Class string
	// BackendServices that Google's load balancer has for it, by name.
	BackendServices []string
}

// ParentGateways reads the Gateways that are parents of a route with this spec, each once.
func ParentGateways(ctx context.Context, from client.Reader, namespace string, spec map[string]any) ([]ParentGateway, error) {
	var all []ParentGateway
	for _, r := range list(spec["parentRefs"]) {
		ref := fields(r)
		kind, group := text(ref["kind"]), text(ref["group"])
		if kind != "" && kind != "Gateway" || group != "" && group != gatewayGroup {
			continue
		}
		at := client.ObjectKey{Namespace: namespace, Name: text(ref["name"])}
		if n := text(ref["namespace"]); n != "" {
			at.Namespace = n
		}
		g := ParentGateway{Ref: "gateway " + at.String()}
		if slices.ContainsFunc(all, func(known ParentGateway) bool { return known.Ref == g.Ref }) {
			continue
		}
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(HTTPRouteKind.GroupVersion().WithKind("Gateway"))
		err := from.Get(ctx, at, object)
		switch {
		case apierrors.IsForbidden(err), apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		case err != nil:
			return nil, fmt.Errorf("reading %s: %w", g.Ref, err)
		default:
			g.Readable, g.Class = true, text(fields(object.Object["spec"])["gatewayClassName"])
			g.BackendServices = backendServices(object.GetAnnotations()[madeAnnotation])
		}
		all = append(all, g)
	}
	return all, nil
}

// backendServices are the names in GKE's list of them.
func backendServices(annotation string) []string {
	var names []string
	for link := range strings.SplitSeq(annotation, ",") {
		if _, name, found := strings.Cut(strings.TrimSpace(link), "/backendServices/"); found {
			names = append(names, name)
		}
	}
	return names
}

// madeBackend matches the name of a backend service that GKE created for a port of a Service, if
// it contains the full names. GKE shortens long ones to fit 63 characters, such as
// "gkegw1-7hi6-crawling-serv-crawling-service-we-8088-wurq2kzjfbve". Google does not document how
// [unverified], so a shortened name belongs to no Service here.
var madeBackend = regexp.MustCompile(`^gkegw[0-9]*-[a-z0-9]{4}-(.+)-([0-9]+)-[a-z0-9]{12}$`)

// GoogleBackend is the one backend service that the Gateways have for a colour; empty if
// there is none, or if Turnout cannot tell which one it is: a Gateway cannot be read, the
// colour has several, or another Service's could have the same name.
func GoogleBackend(gateways []ParentGateway, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) string {
	ports := portsOf(s.Gateway.Rules)
	var found []string
	for _, g := range gateways {
		if !g.Readable {
			return ""
		}
		for _, name := range g.BackendServices {
			of := madeBackend.FindStringSubmatch(name)
			if of == nil || of[1] != bg.Namespace+"-"+bg.Side(c).Service || slices.Contains(found, name) {
				continue
			}
			if port, err := strconv.ParseInt(of[2], 10, 64); err == nil && slices.Contains(ports, port) {
				found = append(found, name)
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
