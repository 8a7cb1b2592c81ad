package turnout

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/turnout-dev/turnout/sandbox/world"
)

// Right is one right of one of Turnout's roles.
type Right struct {
	// Role is the kind and the name of the role, such as ClusterRole "turnout".
	Role string
	// Verb of the right.
	Verb string
	// Resource of the right, such as pods/log or deployments.apps.
	Resource string
	// Name of the only object that the right covers; empty: any.
	Name string
}

// String writes it as lists of rights do.
func (r Right) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", r.Role, r.Verb, r.Resource, r.Name))
}

// Rights are the rights that config/ gives Turnout, one by one.
func Rights(project string) ([]Right, error) {
	cluster, own := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	if err := errors.Join(readRole(project, "role.yaml", cluster), readRole(project, "own.yaml", own)); err != nil {
		return nil, err
	}
	return append(rightsOf(roleName("ClusterRole", cluster.Name), cluster.Rules), rightsOf(roleName("Role", own.Name), own.Rules)...), nil
}

func roleName(kind, name string) string { return fmt.Sprintf("%s %q", kind, name) }

func rightsOf(role string, rules []rbacv1.PolicyRule) []Right {
	var all []Right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						all = append(all, Right{Role: role, Verb: verb, Resource: inGroup(resource, group), Name: name})
					}
				}
			}
		}
	}
	return all
}

// inGroup writes a resource, which may be a subresource, with its group.
func inGroup(resource, group string) string {
	name, sub, isSub := strings.Cut(resource, "/")
	if group != "" {
		name += "." + group
	}
	if isSub {
		name += "/" + sub
	}
	return name
}

// Audited is the API server's audit log of Turnout's requests.
type Audited struct {
	// Used reports for every right whether it allowed a request.
	Used map[Right]bool
	// Refused are the requests that no right allowed, each once.
	Refused []string
}

// Auditing names turnout's user for the API server, for [world.Options].
func Auditing() []string { return []string{user} }

// ReadAudit reads the audit log of a world that has stopped.
func ReadAudit(w *world.World, project string) (Audited, error) {
	rights, err := Rights(project)
	if err != nil {
		return Audited{}, err
	}
	log := w.ControlPlane.AuditLog()
	ext := filepath.Ext(log)
	earlier, err := filepath.Glob(strings.TrimSuffix(log, ext) + "-*" + ext)
	if err != nil {
		return Audited{}, fmt.Errorf("looking for earlier parts of the audit log: %w", err)
	}
	if len(earlier) > 0 {
		return Audited{}, fmt.Errorf("the audit log has outgrown its bound (in internal/controlplane), so more was written before: %v", earlier)
	}
	file, err := os.Open(log)
	if err != nil {
		return Audited{}, fmt.Errorf("reading what turnout asked of Kubernetes: %w", err)
	}
	defer file.Close()
	a := Audited{Used: map[Right]bool{}}
	for _, r := range rights {
		a.Used[r] = false
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return Audited{}, fmt.Errorf("reading what turnout asked of Kubernetes: %w", err)
		}
		a.add(&e)
	}
	if err := lines.Err(); err != nil {
		return Audited{}, fmt.Errorf("reading what turnout asked of Kubernetes: %w", err)
	}
	return a, nil
}

// allowedBy matches the role that allowed a request, in the API server's words. The cluster's own
// roles for every authenticated user are not Turnout's rights.
var allowedBy = regexp.MustCompile(` of ((?:Cluster)?Role "[^"]+") to `)

func (a *Audited) add(e *auditv1.Event) {
	if e.Annotations["authorization.k8s.io/decision"] != "allow" {
		if request := e.Verb + " " + e.RequestURI; !slices.Contains(a.Refused, request) {
			a.Refused = append(a.Refused, request)
		}
		return
	}
	role := allowedBy.FindStringSubmatch(e.Annotations["authorization.k8s.io/reason"])
	if role == nil || e.ObjectRef == nil {
		return
	}
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	r := Right{Role: role[1], Verb: e.Verb, Resource: inGroup(resource, e.ObjectRef.APIGroup)}
	for _, name := range []string{"", e.ObjectRef.Name} {
		r.Name = name
		if _, known := a.Used[r]; known {
			a.Used[r] = true
		}
	}
}

// Complaints are the faults in the rights of a Turnout that used all its features: what was
// refused, and what was not used. seldom are rights that only other clusters need, each with a
// reason; a used right must not be among them. Rights by chance are used or not as the machine's
// timing has it, so neither is a fault.
func (a *Audited) Complaints(seldom, byChance map[string]string) []string {
	all := make([]string, 0, len(a.Refused))
	for _, request := range a.Refused {
		all = append(all, "turnout was refused what it asked for: "+request)
	}
	known := map[string]bool{}
	for r, used := range a.Used {
		known[r.String()] = true
		switch reason := seldom[r.String()]; {
		case byChance[r.String()] != "":
		case used && reason != "":
			all = append(all, fmt.Sprintf("%s: was used; take it off the list of what is seldom used", r))
		case !used && reason == "":
			all = append(all, fmt.Sprintf("%s: nothing used it; take it out of config/rbac, or say what for", r))
		}
	}
	for _, list := range []map[string]string{seldom, byChance} {
		for r := range maps.Keys(list) {
			if !known[r] {
				all = append(all, r+": is said to be seldom used, and no role has it")
			}
		}
	}
	slices.Sort(all)
	return all
}
