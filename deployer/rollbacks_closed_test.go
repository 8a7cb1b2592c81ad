package deployer

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// TestNoRollbackPassesAContract: whatever was submitted before the field was written, the
// deployer judges by the field.
func TestNoRollbackPassesAContract(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(d)) }
	from, to := v1alpha1.Version{Color: v1alpha1.Green, Image: "new"}, v1alpha1.Version{Color: v1alpha1.Blue, Image: "old", Commit: "0a0a0a0a"}
	back := v1alpha1.RollbackSpec{From: from, To: to, Switch: "uid-new", Attempt: 1}
	contract := func(d time.Duration, o v1alpha1.MigrationOutcome) *v1alpha1.ContractStatus {
		return &v1alpha1.ContractStatus{Release: "shop-contract-1", IntendedAt: metav1.NewMicroTime(now.Add(d)), Outcome: o}
	}
	tests := []struct {
		name     string
		contract *v1alpha1.ContractStatus
		mixed    *v1alpha1.MixedStatus
		last     *v1alpha1.SwitchRecord
		closed   bool
	}{
		{"none", nil, nil, &v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Deploy", At: at(0), From: to, To: from}, false},
		{
			"intended after the switch", contract(time.Second, ""), nil,
			&v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Deploy", At: at(0), From: to, To: from}, true,
		},
		{
			"unchanged", contract(time.Second, v1alpha1.MigrationUnchanged), nil,
			&v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Deploy", At: at(0), From: to, To: from}, false,
		},
		{
			"before the switch", contract(-time.Second, v1alpha1.MigrationChanged), nil,
			&v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Deploy", At: at(0), From: to, To: from}, false,
		},
		{
			"users on both colours, to the version before the contract", contract(time.Second, v1alpha1.MigrationChanged),
			&v1alpha1.MixedStatus{Back: &back}, &v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Deploy", At: at(0), From: to, To: from}, true,
		},
		{
			"users on both colours, to the version that ran the contract", contract(time.Second, v1alpha1.MigrationChanged),
			&v1alpha1.MixedStatus{Back: &back}, &v1alpha1.SwitchRecord{UID: "uid-new", Kind: "Rollback", At: at(0), From: from, To: to}, false,
		},
	}
	for _, tt := range tests {
		bg := &v1alpha1.BlueGreen{}
		bg.Status.LastSwitch, bg.Status.Mixed, bg.Status.Previous = tt.last, tt.mixed, &to
		if tt.contract != nil {
			bg.Status.Schema = &v1alpha1.SchemaStatus{Contract: tt.contract}
		}
		good, f := rollbackJudge{bg: bg}.judgeRollback(&v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Rollback: &back}})
		if good == tt.closed {
			t.Errorf("%s: judged good %v", tt.name, good)
		}
		if !tt.closed {
			continue
		}
		if f == nil || f.reason != v1alpha1.FailedWayClosed || f.about.release != "shop-contract-1" || f.about.since == nil ||
			!strings.Contains(f.message, "closed since") || !strings.Contains(f.message, "Merge a commit") {
			t.Errorf("%s: refused by %+v", tt.name, f)
		}
	}
}
