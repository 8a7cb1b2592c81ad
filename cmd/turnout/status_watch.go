package main

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// calm is how long a watch waits after a change for others that belong to it: a step writes
// the release and the application one after the other.
const calm = 300 * time.Millisecond

// watchStates shows the applications, and again each one that changes, until the context
// ends.
func (r *statusFlags) watchStates(cmd *cobra.Command, c *cluster, states func() ([]stateJSON, error)) error {
	ctx := cmd.Context()
	known := map[string]stateJSON{}
	show := func() error {
		all, err := states()
		if len(all) == 0 && err != nil {
			return err
		}
		var changed []stateJSON
		for _, s := range all {
			key := s.Namespace + "/" + s.Application
			if before, seen := known[key]; !seen || !reflect.DeepEqual(before, s) {
				changed = append(changed, s)
			}
			known[key] = s
		}
		if len(changed) == 0 {
			return nil
		}
		return r.print(cmd.OutOrStdout(), changed, false)
	}
	for ctx.Err() == nil {
		if err := c.eachChange(ctx, r.where(c), show); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// eachChange calls show now and after every change of an application or a release of a
// namespace, until the server ends a watch, as it does every few minutes.
func (c *cluster) eachChange(ctx context.Context, namespace string, show func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan bool)
	for _, list := range []client.ObjectList{&v1alpha1.BlueGreenList{}, &v1alpha1.ReleaseList{}} {
		changes, err := c.kube.Watch(ctx, list, client.InNamespace(namespace))
		if err != nil {
			return fmt.Errorf("watching %s: %w", scope(namespace), err)
		}
		defer changes.Stop()
		go forward(ctx, changes, changed)
	}
	for { // existing objects come as events, too
		if err := show(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case more := <-changed:
			if !more {
				return nil
			}
		}
		quiet := time.After(calm)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			case <-quiet:
				waiting = false
			}
		}
	}
}

// forward reports each change, and at the end, with false, that the watch has ended.
func forward(ctx context.Context, changes watch.Interface, changed chan<- bool) {
	for more := true; more; {
		var event watch.Event
		event, more = <-changes.ResultChan()
		more = more && event.Type != watch.Error
		select {
		case changed <- more:
		case <-ctx.Done():
			return
		}
	}
}
