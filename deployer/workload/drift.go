package workload

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Limits of a drift, which people read in a comment and which the record keeps.
const (
	driftLines = 40
	driftBytes = 4 << 10
)

// Drift shows how the two colours' own pod templates differ, as a unified diff of YAML; ""
// if they do not. With template: Live, it goes from the target's template to the one that
// will be staged over it; with template: Own, from the live one's to the one that will be
// staged beside it. Call it before [Workloads.Stage]: afterwards nobody can see what was
// there.
//
// It leaves out differences by design (the image, the colour, Turnout's own annotations)
// and defaults that Kubernetes fills in. What a program reads (values of the environment,
// commands, arguments, probes' headers) may contain a secret in plain text and is hidden;
// the diff only shows that it differs. It is for a person to read, and decides nothing, so it
// compares what the cache has.
func (w *Workloads) Drift(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (string, error) {
	p, err := readPair(ctx, bg, target, known(w))
	if err != nil {
		return "", fmt.Errorf("compare the pod templates of %s/%s: %w", bg.Namespace, bg.Name, err)
	}
	r := recolor{label: track.ColorLabel(bg), from: target.Other(), to: target}
	live := liveTemplate(p.live.Object, p.target.Object, p.targetService, r)
	own := runtime.DeepCopyJSON(part(p.target.Object, "spec", "template"))
	for _, t := range []object{live, own} {
		plain(t, bg)
	}
	before, after := bg.Side(target).Deployment, bg.Side(target.Other()).Deployment
	if bg.Spec.Template == v1alpha1.TemplateOwn {
		own, live, before, after = live, own, after, before
	}
	hide(own, live)
	return unified(before, after, own, live)
}

// unified returns the difference of two templates, cut to a length that a person reads.
func unified(before, after string, a, b object) (string, error) {
	x, err := yaml.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("write a pod template as YAML: %w", err)
	}
	y, err := yaml.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("write a pod template as YAML: %w", err)
	}
	diff, err := udiff.ToUnified(before, after, string(x), udiff.Lines(string(x), string(y)), udiff.DefaultContextLines)
	if err != nil {
		return "", fmt.Errorf("compare two pod templates: %w", err)
	}
	return cut(diff), nil
}

// cut shortens a text to whole lines and says how many it left out.
func cut(text string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	kept, size := 0, 0
	for _, line := range lines {
		if kept == driftLines || size+len(line) > driftBytes {
			break
		}
		kept, size = kept+1, size+len(line)
	}
	if kept == len(lines) {
		return text
	}
	return strings.Join(lines[:kept], "") + fmt.Sprintf("(%d more lines)\n", len(lines)-kept)
}

// plain removes from a template what does not matter for a difference. Images of other
// containers than the staged one stay: they do not come from the build.
func plain(template object, bg *v1alpha1.BlueGreen) {
	staged, err := ChooseContainer(bg, containerNames(template))
	for _, c := range parts(template, "spec", "containers") {
		if err == nil && c["name"] == staged {
			delete(c, "image")
		}
	}
	annotations := part(template, "metadata", "annotations")
	for _, key := range []string{v1alpha1.ReleaseAnnotation, v1alpha1.CommitAnnotation, "kubectl.kubernetes.io/restartedAt"} {
		delete(annotations, key)
	}
	prune(template)
}

// defaults are the values that Kubernetes fills into a pod template
// (kubernetes pkg/apis/core/v1/defaults.go).
var defaults = object{
	"creationTimestamp": nil, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
	"terminationGracePeriodSeconds": int64(30), "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
	"protocol": "TCP", "scheme": "HTTP", "failureThreshold": int64(3), "periodSeconds": int64(10), "successThreshold": int64(1),
	"timeoutSeconds": int64(1),
}

// prune removes, from the leaves up, what is empty or has its default value.
func prune(v any) {
	switch v := v.(type) {
	case object:
		for key, e := range v {
			prune(e)
			fallback, known := defaults[key]
			if m, ok := e.(object); (ok && len(m) == 0) || known && reflect.DeepEqual(e, fallback) {
				delete(v, key)
			}
		}
	case []any:
		for _, e := range v {
			prune(e)
		}
	}
}

// What replaces a hidden value: hiddenOther if the two templates differ in it.
const (
	hidden      = "(hidden)"
	hiddenOther = "(hidden, another)"
)

// hide replaces what a program reads in two templates. A reader still sees whether a value
// is the same in both, but nothing of the value, not even a hash: short secrets can be
// guessed.
func hide(before, after object) {
	values := map[string]any{}
	secrets(before, func(path string, holder object, field string) {
		values[path], holder[field] = holder[field], hidden
	})
	secrets(after, func(path string, holder object, field string) {
		was, ok := values[path]
		same := !ok || reflect.DeepEqual(was, holder[field])
		holder[field] = hidden
		if !same {
			holder[field] = hiddenOther
		}
	})
}

// HideValues replaces what [Workloads.Drift] hides in two states of one Deployment, or of an
// object without a pod template, where it does nothing.
func HideValues(before, after map[string]any) {
	hide(part(before, "spec", "template"), part(after, "spec", "template"))
}

// secrets calls found for every place of a template that a program reads, with a path that
// is the same for the same place of another template.
func secrets(template object, found func(path string, holder object, field string)) {
	look := func(path string, holder object, field string) {
		if _, ok := holder[field]; ok {
			found(path+"/"+field, holder, field)
		}
	}
	for _, kind := range []string{"initContainers", "containers"} {
		for _, c := range parts(template, "spec", kind) {
			path := fmt.Sprint(kind, "/", c["name"])
			look(path, c, "command")
			look(path, c, "args")
			for i, e := range parts(c, "env") {
				// A name may occur twice; the last one counts.
				look(fmt.Sprint(path, "/env/", e["name"], "/", repeated(parts(c, "env")[:i], e["name"])), e, "value")
			}
			for _, handler := range [][]string{
				{"livenessProbe"},
				{"readinessProbe"},
				{"startupProbe"},
				{"lifecycle", "preStop"},
				{"lifecycle", "postStart"},
			} {
				at := path + "/" + strings.Join(handler, "/")
				h := part(c, handler...)
				look(at, part(h, "exec"), "command")
				for i, header := range parts(h, "httpGet", "httpHeaders") {
					look(fmt.Sprint(at, "/", i), header, "value")
				}
			}
		}
	}
}

// repeated counts the entries with a name.
func repeated(entries []object, name any) (n int) {
	for _, e := range entries {
		if e["name"] == name {
			n++
		}
	}
	return n
}
