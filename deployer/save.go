package deployer

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/record"
)

// save writes the release by compare-and-swap, if anything changed. It comes
// before every effect whose intent it records. A status that is refused for its
// size is a fault: the release is again what was last written, and ends.
func (a *attempt) save(ctx context.Context) error {
	err := a.write(ctx)
	if !errors.Is(err, record.ErrTooLarge) {
		return err
	}
	a.log.WarnContext(ctx, "the release cannot be recorded", "error", err)
	a.saved.DeepCopyInto(&a.rel.Status)
	return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTooLarge, message: "what the release came to cannot be " +
		"written down: " + err.Error()}
}

// conclude writes the end of a release, if need be without what only explains it.
func (a *attempt) conclude(ctx context.Context) error {
	err := a.write(ctx)
	if !errors.Is(err, record.ErrTooLarge) {
		return err
	}
	st := &a.rel.Status
	st.Findings, st.Commands, st.Drift, st.Gate = nil, nil, "", nil
	for i := range st.Timeline {
		st.Timeline[i].Message, st.Timeline[i].URL = "", ""
	}
	if st.Failure != nil {
		st.Failure.Evidence = nil
	}
	return a.write(ctx)
}

func (a *attempt) write(ctx context.Context) error {
	if a.bg.Spec.Evidence.Logs == v1alpha1.LogsNone {
		dropLogs(&a.rel.Status)
	}
	if err := record.FitRelease(&a.rel.Status); err != nil {
		return fmt.Errorf("release %s/%s: %w", a.rel.Namespace, a.rel.Name, err)
	}
	if equality.Semantic.DeepEqual(a.saved, &a.rel.Status) {
		return nil
	}
	if err := a.d.Record.UpdateRelease(ctx, a.rel, a.saved); err != nil {
		return err
	}
	a.saved = a.rel.Status.DeepCopy()
	return nil
}

// dropLogs takes out what containers and commands wrote.
func dropLogs(st *v1alpha1.ReleaseStatus) {
	if st.Gate != nil && st.Gate.Problem != nil {
		st.Gate.Problem.Log = ""
	}
	if st.Failure == nil {
		return
	}
	for i := range st.Failure.Evidence {
		st.Failure.Evidence[i].Log = ""
	}
}
