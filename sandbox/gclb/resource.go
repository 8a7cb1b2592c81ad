package gclb

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// links begins the address of every resource, as the real API writes it.
const links = "https://www.googleapis.com/compute/v1/projects/"

// place names a resource: global/backendServices/NAME, zones/ZONE/… or regions/REGION/….
type place struct {
	scope      string // "global", "zones/…" or "regions/…"
	collection string
	name       string
}

func (p place) String() string { return p.scope + "/" + p.collection + "/" + p.name }

// link matches a reference to a resource: the whole address, in any version of the API, or its
// end.
var link = regexp.MustCompile(`^(?:(?:https?://[^/]+/compute/[^/]+/)?projects/[^/]+/)?(global|zones/[^/]+|regions/[^/]+)/(\w+)/([^/]+)$`)

// placeOf reads a link.
func placeOf(text string) (place, bool) {
	m := link.FindStringSubmatch(text)
	if m == nil {
		return place{}, false
	}
	return place{scope: m[1], collection: m[2], name: m[3]}, true
}

// object is a resource as JSON. Its contents are never changed, only replaced.
type object map[string]any

// resource is a resource of the API.
type resource struct {
	place
	object object
}

// apiError is an error of the API.
type apiError struct {
	status  int
	reason  string
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.reason, e.message) }

func notFound(project string, p place) *apiError {
	return &apiError{http.StatusNotFound, "notFound", fmt.Sprintf("The resource 'projects/%s/%s' was not found", project, p)}
}

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "invalid", fmt.Sprintf(format, args...)}
}

// guarded are the collections whose members must exist while they are referred to, and cannot be
// deleted then.
var guarded = []string{ //nolint:gochecknoglobals // a list
	"backendServices", "healthChecks", "urlMaps", "targetHttpProxies", "targetHttpsProxies", "networkEndpointGroups",
	"instanceGroups", "sslCertificates", "sslPolicies", "networks", "subnetworks",
}

// references lists the resources that an object refers to, except by its address.
func references(value any) []place {
	var all []place
	switch v := value.(type) {
	case object:
		return references(map[string]any(v))
	case map[string]any:
		for key, inner := range v {
			if key != "selfLink" {
				all = append(all, references(inner)...)
			}
		}
	case []any:
		for _, inner := range v {
			all = append(all, references(inner)...)
		}
	case string:
		if p, ok := placeOf(v); ok && slices.Contains(guarded, p.collection) {
			all = append(all, p)
		}
	}
	return all
}

// absolute writes every link of a value in full, as the API does.
func absolute(value any, project string) any {
	switch v := value.(type) {
	case map[string]any:
		whole := make(map[string]any, len(v))
		for key, inner := range v {
			whole[key] = absolute(inner, project)
		}
		return whole
	case []any:
		whole := make([]any, len(v))
		for i, inner := range v {
			whole[i] = absolute(inner, project)
		}
		return whole
	case string:
		if p, ok := placeOf(v); ok {
			return links + project + "/" + p.String()
		}
	}
	return value
}

// merge applies a PATCH to a value: maps are merged, everything else is replaced, and null
// removes.
func merge(into, from map[string]any) map[string]any {
	merged := maps.Clone(into)
	for key, value := range from {
		inner, isMap := value.(map[string]any)
		old, wasMap := merged[key].(map[string]any)
		switch {
		case value == nil:
			delete(merged, key)
		case isMap && wasMap:
			merged[key] = merge(old, inner)
		default:
			merged[key] = value
		}
	}
	return merged
}

// defaults are the API's values for fields that a new resource leaves out (compute/v1's
// reference, by the field's name).
func (c *compute) defaults(collection string) map[string]any {
	switch collection {
	case "healthChecks":
		return map[string]any{"checkIntervalSec": 5.0, "timeoutSec": 5.0, "healthyThreshold": 2.0, "unhealthyThreshold": 2.0}
	case "backendServices":
		return map[string]any{"timeoutSec": 30.0, "sessionAffinity": "NONE", "loadBalancingScheme": "EXTERNAL", "protocol": "HTTP"}
	case "forwardingRules": // all have the sandbox's one address
		return map[string]any{"IPAddress": c.config.Address, "loadBalancingScheme": "EXTERNAL"}
	case "addresses":
		return map[string]any{"address": c.config.Address, "status": "RESERVED", "addressType": "EXTERNAL"}
	case "sslCertificates":
		return map[string]any{"type": "SELF_MANAGED"}
	}
	return nil
}

// finish is a new or changed object as the API stores it: with its address and a new fingerprint.
// The lock is held.
func (c *compute) finish(p place, given map[string]any, before object) object {
	whole := absolute(given, c.config.Project).(map[string]any) //nolint:forcetypeassert // a map of a map
	c.serial++
	whole["name"], whole["selfLink"], whole["fingerprint"] = p.name, links+c.config.Project+"/"+p.String(), fingerprint(c.serial)
	if before != nil {
		whole["id"], whole["creationTimestamp"] = before["id"], before["creationTimestamp"]
	} else {
		for key, value := range c.defaults(p.collection) {
			if old, found := whole[key]; !found || old == "" {
				whole[key] = value
			}
		}
		whole["id"], whole["creationTimestamp"] = strconv.Itoa(c.serial), time.Now().UTC().Format(time.RFC3339)
	}
	if kind, where, found := strings.Cut(p.scope, "/"); found {
		whole[strings.TrimSuffix(kind, "s")] = links + c.config.Project + "/" + kind + "/" + where
	}
	return whole
}

func fingerprint(serial int) string { return fmt.Sprintf("%08d", serial) }
