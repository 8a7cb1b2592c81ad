package command

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Words after /contract.
const (
	ContractRetry = "retry" // run it again, after it failed or nobody knows its outcome
	ContractDone  = "done"  // declare it done, with a reason; nothing runs
)

// contracts decides about the contract of the live version.
type contracts struct{ s Situation }

// contract submits the contract of the live version: nothing chooses another one.
func (c contracts) contract() Decision {
	spec, live := c.s.App.Spec.Migrations, c.s.App.Status.Live
	switch {
	case spec == nil || spec.Contract == nil:
		return refuse(CodeNoContract, Args{Application: c.s.App.Name})
	case live == nil || live.Commit == "":
		return refuse(CodeContractNotOurs, Args{Application: c.s.App.Name, Live: live, Next: []Command{{Verb: Status}}})
	}
	var last *v1alpha1.ContractStatus
	if s := c.s.App.Status.Schema; s != nil {
		last = s.Contract
	}
	if rel := c.underWay(); rel != nil {
		return answer(CodeContractUnderWay, Args{Release: rel.Name, Version: live})
	}
	open := last != nil && !last.Settled() // a person has to decide
	again, done := c.s.Typed(Contract), c.s.Typed(Contract)
	again.Mode, done.Mode = ContractRetry, ContractDone
	about := Args{Application: c.s.App.Name, Version: live, Next: []Command{again, done}}
	if last != nil {
		about.Release, about.Reason = last.Release, string(last.Outcome)
	}
	switch {
	case c.s.Command.Mode != "" && !open:
		return refuse(CodeContractNotOpen, about)
	case c.s.Command.Mode == "" && open:
		return refuse(CodeContractOpen, about)
	case c.s.Command.Mode == ContractDone && c.s.Command.Reason == "":
		return refuse(CodeContractWhy, about)
	case c.s.Command.Mode == "" && last != nil && last.Commit == live.Commit && last.Outcome != v1alpha1.MigrationNotRun:
		return answer(CodeContractedAlready, about)
	}
	d := answer(CodeContractSubmitted, about)
	if c.s.Command.Mode == ContractDone {
		d = answer(CodeContractDeclared, about)
	}
	d.Submit = c.release(live)
	return d.and(c.behindLock()...)
}

// underWay is a contract that has not ended; nil if there is none.
func (c contracts) underWay() *v1alpha1.Release {
	for i := range c.s.Releases {
		if rel := &c.s.Releases[i]; rel.Spec.Contract != nil && !rel.Status.Phase.Finished() {
			return rel
		}
	}
	return nil
}

// release is the contract to submit: the next attempt of the live commit.
func (c contracts) release(live *v1alpha1.Version) *v1alpha1.Release {
	last, used := int32(0), map[int32]bool{}
	for i := range c.s.Releases {
		if was := c.s.Releases[i].Spec.Contract; was != nil && was.Commit == live.Commit {
			last, used[was.Attempt] = max(last, was.Attempt), true
		}
	}
	spec := v1alpha1.ContractRequest{Commit: live.Commit, Image: live.Image, Attempt: attemptAfter(last, used)}
	if c.s.Command.Mode == ContractDone {
		spec.Done = prose.Characters(c.s.Command.Reason, v1alpha1.MaxLockReason)
	}
	return NewContract(&c.s.App, spec, c.s.Cause)
}

// behindLock says that a lock keeps the contract from beginning.
func (c contracts) behindLock() []Fact {
	if c.s.App.Status.Lock == nil || c.s.Command.Mode == ContractDone {
		return nil
	}
	return c.s.behindLock()
}
