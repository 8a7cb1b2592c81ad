package v1alpha1

import "time"

// ClosedBack returns the contract that closed the way back of a rollback; nil if it is open.
// Without a rollback it is about the last switch. It is the one rule by which every surface
// judges rollbacks.
func (s *BlueGreenStatus) ClosedBack(back *RollbackSpec, releases []Release) *ContractStatus {
	if s.Schema == nil || s.Schema.Contract == nil || !s.Schema.Contract.ClosedFor(s.switchedAt(back, releases)) {
		return nil
	}
	return s.Schema.Contract
}

// Unproven is the last change of the schema since users left the version that a rollback returns
// to; nil if there was none, or if it is not known when they left. That version was never live
// with it, so its health gate decides about the rollback.
func (s *BlueGreenStatus) Unproven(back *RollbackSpec) *SchemaChange {
	last := s.LastSwitch
	if back == nil || last == nil || last.UID != back.Switch || s.Schema == nil || len(s.Schema.Expanded) == 0 {
		return nil
	}
	if change := s.Schema.Expanded[len(s.Schema.Expanded)-1]; last.At.Before(&change.At) {
		return &change
	}
	return nil
}

// switchedAt is when the switch that a rollback takes back moved users; zero if that is not
// known, or if users went back already: then it brings them to the version that they have.
func (s *BlueGreenStatus) switchedAt(back *RollbackSpec, releases []Release) time.Time {
	last := s.LastSwitch
	if back == nil || last != nil && last.UID == back.Switch {
		if last == nil || last.Kind != string(Deploy) {
			return time.Time{}
		}
		return last.At.Time
	}
	for i := range releases {
		m := releases[i].Status.Milestones
		switch {
		case string(releases[i].UID) != back.Switch:
		case m.SwitchedAt != nil:
			return m.SwitchedAt.Time
		case m.ClaimedAt != nil: // a canary that never had all users
			return m.ClaimedAt.Time
		}
	}
	return time.Time{}
}
