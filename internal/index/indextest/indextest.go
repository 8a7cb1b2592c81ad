// Package indextest lets tests use package index without a cache.
package indextest

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/internal/index"
)

// Client answers a list by index: it lists everything and drops what has another value.
// Anything else goes to the wrapped client.
type Client struct{ client.Client }

// List reads a list. If it has several fields, or one that is not an index, it goes to the
// API server unchanged.
func (c Client) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	name, value, ok := asked(o)
	if !ok {
		return c.Client.List(ctx, into, options...) //nolint:wrapcheck // the wrapped client's answer
	}
	o.FieldSelector = nil
	if err := c.Client.List(ctx, into, &o); err != nil {
		return err //nolint:wrapcheck // the wrapped client's answer
	}
	return keep(into, name, value)
}

// asked returns the index and the value of a list.
func asked(o client.ListOptions) (name, value string, ok bool) {
	if o.FieldSelector == nil {
		return "", "", false
	}
	fields := o.FieldSelector.Requirements()
	if len(fields) != 1 || !slices.ContainsFunc(index.All(), func(i index.Index) bool { return i.Name == fields[0].Field }) {
		return "", "", false
	}
	return fields[0].Field, fields[0].Value, true
}

// keep drops from a list what an index does not have under a value.
func keep(list client.ObjectList, name, value string) error {
	all, err := meta.ExtractList(list)
	if err != nil {
		return fmt.Errorf("reading %T: %w", list, err)
	}
	kept := slices.DeleteFunc(all, func(o runtime.Object) bool {
		object, ok := o.(client.Object)
		return !ok || !slices.Contains(values(object, name), value)
	})
	if err := meta.SetList(list, kept); err != nil {
		return fmt.Errorf("writing %T: %w", list, err)
	}
	return nil
}

// values are an object's values in an index.
func values(o client.Object, name string) []string {
	for _, i := range index.All() {
		if i.Name == name && fmt.Sprintf("%T", i.Object) == fmt.Sprintf("%T", o) {
			return i.Values(o)
		}
	}
	return nil
}
