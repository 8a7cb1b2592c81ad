package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/turnout-dev/turnout/internal/index"
)

// dryClient writes nothing: every write is a server-side dry run, and what is read by name is
// as if earlier ones had been stored. It knows the kinds of writes that packages route and
// workload make, and refuses others.
type dryClient struct {
	client.Client
	// results of the dry runs so far, by object.
	results map[string]*result
	// wrote is called for every write, with the object before it (nil if it was created)
	// and after it.
	wrote func(before, after *unstructured.Unstructured)
}

// result is an object after the dry runs so far.
type result struct {
	after *unstructured.Unstructured
	// created: the cluster does not have the object.
	created bool
	// operations of the patches so far: the API server applies them anew with each further
	// one, since it stored none.
	operations []map[string]any
}

// errUnknownWrite says that a package writes in a way that was never rehearsed.
var errUnknownWrite = errors.New("this write cannot be rehearsed")

func (c *dryClient) key(o runtime.Object, name types.NamespacedName) (string, schema.GroupVersionKind, error) {
	kind, err := apiutil.GVKForObject(o, c.Scheme())
	if err != nil {
		return "", kind, fmt.Errorf("the kind of %T: %w", o, err)
	}
	return kind.GroupKind().String() + " " + name.String(), kind, nil
}

// Get implements [client.Reader].
func (c *dryClient) Get(ctx context.Context, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	key, _, err := c.key(into, name)
	if err != nil {
		return err
	}
	known := c.results[key]
	if known == nil {
		return c.Client.Get(ctx, name, into, opts...)
	}
	if u, ok := into.(*unstructured.Unstructured); ok {
		u.Object = known.after.DeepCopy().Object
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(known.after.Object, into)
}

// List implements [client.Reader], with the indexes that only a cache has. It does not see
// the dry runs: no pod starts in one.
func (c *dryClient) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(opts)
	if options.FieldSelector == nil || options.FieldSelector.Empty() {
		return c.Client.List(ctx, into, opts...)
	}
	by := options.FieldSelector.Requirements()[0]
	options.FieldSelector = fields.Everything()
	if err := c.Client.List(ctx, into, options); err != nil {
		return err
	}
	items, err := meta.ExtractList(into)
	if err != nil {
		return fmt.Errorf("reading %T: %w", into, err)
	}
	items = slices.DeleteFunc(items, func(o runtime.Object) bool { return !indexed(o, by.Field, by.Value) })
	return meta.SetList(into, items)
}

// indexed reports whether an object has a value in an index.
func indexed(o runtime.Object, name, value string) bool {
	for _, i := range index.All() {
		object, ok := o.(client.Object)
		if ok && i.Name == name && fmt.Sprintf("%T", i.Object) == fmt.Sprintf("%T", o) {
			return slices.Contains(i.Values(object), value)
		}
	}
	return false
}

// Create implements [client.Writer].
func (c *dryClient) Create(ctx context.Context, o client.Object, _ ...client.CreateOption) error {
	return c.create(ctx, o, nil)
}

func (c *dryClient) create(ctx context.Context, o client.Object, before *unstructured.Unstructured) error {
	key, kind, err := c.key(o, client.ObjectKeyFromObject(o))
	if err != nil {
		return err
	}
	if err := c.Client.Create(ctx, o, client.DryRunAll); err != nil {
		return err
	}
	after, err := c.kept(o, kind)
	if err != nil {
		return err
	}
	c.results[key] = &result{after: after, created: true}
	c.wrote(before, after)
	return nil
}

// kept is an object as it is kept here.
func (c *dryClient) kept(o client.Object, kind schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("reading %T: %w", o, err)
	}
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(content)}
	u.SetGroupVersionKind(kind)
	return u, nil
}

// Patch implements [client.Writer], for JSON patches.
func (c *dryClient) Patch(ctx context.Context, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
	key, kind, err := c.key(o, client.ObjectKeyFromObject(o))
	if err != nil {
		return err
	}
	operations, err := operationsOf(o, patch)
	if err != nil {
		return fmt.Errorf("%s %s: %w", strings.ToLower(kind.Kind), o.GetName(), err)
	}
	known := c.results[key]
	if known != nil && known.created {
		return c.patchCreated(ctx, known, operations)
	}
	before := &unstructured.Unstructured{}
	if known != nil {
		before = known.after
		operations = slices.Concat(known.operations, withoutTests(operations))
	} else {
		before.SetGroupVersionKind(kind)
		if err := c.Client.Get(ctx, client.ObjectKeyFromObject(o), before); err != nil {
			return err
		}
	}
	text, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	if err := c.Client.Patch(ctx, o, client.RawPatch(types.JSONPatchType, text), client.DryRunAll); err != nil {
		return err
	}
	after, err := c.kept(o, kind)
	if err != nil {
		return err
	}
	c.results[key] = &result{after: after, operations: operations}
	c.wrote(before, after)
	return nil
}

// patchCreated applies a patch to an object that only a dry run has created, and creates the
// result.
func (c *dryClient) patchCreated(ctx context.Context, known *result, operations []map[string]any) error {
	text, err := json.Marshal(withoutTests(operations))
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return fmt.Errorf("reading a patch: %w", err)
	}
	created := known.after.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
		unstructured.RemoveNestedField(created.Object, "metadata", field)
	}
	if text, err = json.Marshal(created); err != nil {
		return fmt.Errorf("encoding %s: %w", created.GetName(), err)
	}
	if text, err = patch.Apply(text); err != nil {
		return fmt.Errorf("patching %s, which would be created: %w", created.GetName(), err)
	}
	if err := created.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("reading %s: %w", created.GetName(), err)
	}
	return c.create(ctx, created, known.after)
}

// operationsOf are the operations of a JSON patch.
func operationsOf(o client.Object, patch client.Patch) ([]map[string]any, error) {
	if patch.Type() != types.JSONPatchType {
		return nil, fmt.Errorf("a %s: %w", patch.Type(), errUnknownWrite)
	}
	text, err := patch.Data(o)
	if err != nil {
		return nil, fmt.Errorf("encoding a patch: %w", err)
	}
	var operations []map[string]any
	if err := json.Unmarshal(text, &operations); err != nil {
		return nil, fmt.Errorf("reading a patch: %w", err)
	}
	return operations, nil
}

// withoutTests leaves out what a patch tests: the generation that a dry run would have led
// to, which the cluster does not have.
func withoutTests(operations []map[string]any) []map[string]any {
	return slices.DeleteFunc(slices.Clone(operations), func(o map[string]any) bool { return o["op"] == "test" })
}

// Update implements [client.Writer].
func (c *dryClient) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	return fmt.Errorf("updating %s: %w", o.GetName(), errUnknownWrite)
}

// Delete implements [client.Writer].
func (c *dryClient) Delete(_ context.Context, o client.Object, _ ...client.DeleteOption) error {
	return fmt.Errorf("deleting %s: %w", o.GetName(), errUnknownWrite)
}

// DeleteAllOf implements [client.Writer].
func (c *dryClient) DeleteAllOf(_ context.Context, o client.Object, _ ...client.DeleteAllOfOption) error {
	return fmt.Errorf("deleting %T: %w", o, errUnknownWrite)
}

// Apply implements [client.Writer].
func (c *dryClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return fmt.Errorf("applying: %w", errUnknownWrite)
}

// Status implements [client.StatusClient].
func (c *dryClient) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements [client.SubResourceClientConstructor].
func (c *dryClient) SubResource(name string) client.SubResourceClient {
	return client.NewDryRunClient(c.Client).SubResource(name)
}
