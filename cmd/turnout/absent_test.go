package main

import (
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// asked is a cluster that may lack kinds.
type asked struct {
	meta.RESTMapper
	times int
	err   error
}

func (a *asked) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	a.times++
	return &meta.RESTMapping{}, a.err
}

// A missing kind is not asked for at every read, and is found once it exists. An outage is no sign
// that a kind is missing.
func TestMissingKindIsAskedForNowAndThen(t *testing.T) {
	t.Parallel()
	kind := schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute"}
	cluster := &asked{err: &meta.NoKindMatchError{GroupKind: kind, SearchedVersions: []string{"v1"}}}
	now := time.Now()
	m := &absentKinds{RESTMapper: cluster, now: func() time.Time { return now }}
	expect := func(what string, version string, times int, missing bool) {
		t.Helper()
		before := cluster.times
		_, err := m.RESTMapping(kind, version)
		if meta.IsNoMatchError(err) != missing || cluster.times-before != times {
			t.Errorf("%s: %v after %d requests, want %d", what, err, cluster.times-before, times)
		}
	}
	expect("the first read", "v1", 1, true)
	expect("a read right after", "v1", 0, true)
	expect("another version", "v1beta1", 1, true)
	now = now.Add(absentFor)
	expect("a later read", "v1", 1, true)
	now = now.Add(absentFor)
	cluster.err = nil
	expect("once it exists", "v1", 1, false)
	cluster.err = errors.New("the API server does not answer")
	for range 2 {
		if _, err := m.RESTMapping(kind, "v1"); !errors.Is(err, cluster.err) {
			t.Errorf("an outage is %v", err)
		}
	}
}
