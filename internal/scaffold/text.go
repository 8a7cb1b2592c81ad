package scaffold

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/runtime"
)

// object is a Kubernetes object, or a part of one.
type object = map[string]any

// comments are what to say above a field, by its path: spec/replicas. "" is above all.
type comments map[string]string

// first are fields that come before all others of their object, in this order.
var first = []string{"apiVersion", "kind", "name", "metadata"}

// render writes an object as YAML with comments, always in the same order.
func render(o any, say comments) (string, error) {
	var node yamlv3.Node
	if err := node.Encode(o); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	sortKeys(&node)
	for path, text := range say {
		if path == "" {
			continue
		}
		found := find(&node, strings.Split(path, "/"))
		if found == nil {
			return "", fmt.Errorf("writing YAML: there is no %s to say something about", path)
		}
		found.HeadComment = comment(text)
	}
	var out bytes.Buffer
	if text := say[""]; text != "" {
		out.WriteString(comment(text) + "\n")
	}
	encoder := yamlv3.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return out.String(), nil
}

func comment(text string) string { return "# " + strings.ReplaceAll(text, "\n", "\n# ") }

// sortKeys orders the fields of every object.
func sortKeys(n *yamlv3.Node) {
	for _, child := range n.Content {
		sortKeys(child)
	}
	if n.Kind != yamlv3.MappingNode {
		return
	}
	type field struct{ key, value *yamlv3.Node }
	fields := make([]field, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		fields = append(fields, field{n.Content[i], n.Content[i+1]})
	}
	rank := func(f field) int {
		if i := slices.Index(first, f.key.Value); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortStableFunc(fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.key.Value, b.key.Value))
	})
	for i, f := range fields {
		n.Content[2*i], n.Content[2*i+1] = f.key, f.value
	}
}

// find is the node whose comment is read as one about the field at a path.
func find(n *yamlv3.Node, path []string) *yamlv3.Node {
	for i, name := range path {
		last := i == len(path)-1
		if at, err := strconv.Atoi(name); err == nil && n.Kind == yamlv3.SequenceNode {
			if at >= len(n.Content) {
				return nil
			}
			n = n.Content[at]
			continue
		}
		at := -1
		for j := 0; j+1 < len(n.Content) && n.Kind == yamlv3.MappingNode; j += 2 {
			if n.Content[j].Value == name {
				at = j
			}
		}
		switch {
		case at < 0:
			return nil
		case last:
			return n.Content[at]
		}
		n = n.Content[at+1]
	}
	return n
}

// untyped is an object as the API server sends it, without what only it fills in.
func untyped(typed any, apiVersion, kind string) (object, error) {
	o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("reading a %s: %w", kind, err)
	}
	o["apiVersion"], o["kind"] = apiVersion, kind
	delete(o, "status")
	return o, nil
}

// filled are values that the API server fills in, by field: a file that has them says no more.
var filled = map[string]any{
	"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "dnsPolicy": "ClusterFirst",
	"restartPolicy": "Always", "schedulerName": "default-scheduler", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
	"ipFamilyPolicy": "SingleStack", "protocol": "TCP", "creationTimestamp": nil, "revisionHistoryLimit": int64(10),
	"progressDeadlineSeconds": int64(600), "successThreshold": int64(1),
}

// notes of others on pods, which say nothing of a new one.
var passing = []string{"kubectl.kubernetes.io/restartedAt", "deployment.kubernetes.io/revision"}

// tidy removes what the API server fills in, at any depth.
func tidy(value any) {
	switch v := value.(type) {
	case object:
		for key, below := range v {
			if usual, ok := filled[key]; ok && usual == below {
				delete(v, key)
				continue
			}
			if slices.Contains(passing, key) {
				delete(v, key)
				continue
			}
			if slices.Contains([]string{"labels", "matchLabels", "selector", "nodeSelector"}, key) {
				continue // others' words
			}
			tidy(below)
			if m, ok := below.(object); ok && len(m) == 0 && (key == "securityContext" || key == "resources" || key == "annotations") {
				delete(v, key)
			}
		}
	case []any:
		for _, below := range v {
			tidy(below)
		}
	}
}
