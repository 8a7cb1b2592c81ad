package route

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// wholeShare is the sum of the weights that Turnout writes.
const wholeShare = 100

// Shares are the weights of the two colours.
type Shares struct{ Blue, Green int64 }

// AllTo gives everything to one colour.
func AllTo(c v1alpha1.Color) Shares {
	if c == v1alpha1.Blue {
		return Shares{Blue: wholeShare}
	}
	return Shares{Green: wholeShare}
}

// Divided gives a colour a weight of 100, and the other one the rest.
func Divided(c v1alpha1.Color, weight int32) Shares {
	w := Shares{Blue: wholeShare - int64(weight), Green: int64(weight)}
	if c == v1alpha1.Blue {
		w.Blue, w.Green = w.Green, w.Blue
	}
	return w
}

// of is the weight of a colour.
func (w Shares) of(c v1alpha1.Color) int64 {
	if c == v1alpha1.Blue {
		return w.Blue
	}
	return w.Green
}

// SharesPatch returns the one patch that gives the two colours these weights in every
// rule that names one of their Services, or nil if they have them. A rule that names
// only one gets a copy of that reference for the other. Nothing else changes.
func SharesPatch(bg *v1alpha1.BlueGreen, s track.Routes, w Shares) ([]Op, error) {
	if len(s.Gateway.Rules) == 0 {
		return nil, fmt.Errorf("%s names neither service %s nor service %s", s, bg.Side(v1alpha1.Blue).Service, bg.Side(v1alpha1.Green).Service)
	}
	rules := list(s.Spec["rules"])
	var ops []Op
	for _, r := range s.Gateway.Rules {
		refs := list(fields(rules[r.Index])["backendRefs"])
		for _, c := range colors {
			ref, found := r.Refs[c]
			switch {
			case !found:
				twin := copied(fields(refs[r.Refs[c.Other()].Index]))
				twin["name"], twin["weight"] = bg.Side(c).Service, w.of(c)
				ops = append(ops, Op{Op: "add", Path: rulePointer(r.Index) + "/backendRefs/-", Value: twin})
			case ref.Weight != w.of(c) || fields(refs[ref.Index])["weight"] == nil:
				ops = append(ops, Op{Op: "add", Path: refPointer(r.Index, ref.Index) + "/weight", Value: w.of(c)})
			}
		}
	}
	if ops == nil {
		return nil, nil
	}
	return append(guard(s), ops...), nil
}

// weightsOf are those of both colours, rule by rule.
func weightsOf(s track.Routes) []Shares {
	var all []Shares
	if s.Gateway == nil {
		return nil
	}
	for _, r := range s.Gateway.Rules {
		w := Shares{Blue: r.Refs[v1alpha1.Blue].Weight, Green: r.Refs[v1alpha1.Green].Weight}
		switch {
		case w.Green == 0:
			w = AllTo(v1alpha1.Blue)
		case w.Blue == 0:
			w = AllTo(v1alpha1.Green)
		}
		all = append(all, w)
	}
	return all
}

// attachPatch makes every rule name both Services. All users stay on their colour.
func attachPatch(bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) ([]Op, error) {
	if s.Gateway.Complete() {
		return nil, nil
	}
	if s.Live() != target.Other() {
		return nil, fmt.Errorf("%s does not route users to %s alone", s, bg.Side(target.Other()).Service)
	}
	if err := refusedRoute(s); err != nil {
		return nil, err
	}
	return SharesPatch(bg, s, AllTo(target.Other()))
}

// switchSharesPatch sends all users to a colour; nil if all are there.
func switchSharesPatch(bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) ([]Op, error) {
	if s.Live() == to {
		return nil, nil
	}
	if s.Live() != to.Other() {
		return nil, fmt.Errorf("%s routes users to neither colour alone", s)
	}
	return SharesPatch(bg, s, AllTo(to))
}

// detachSharesPatch takes a colour's Service out of every rule again; nil if no rule
// names it without sending users there. It is for a Service that the controller of a
// Gateway cannot use.
func detachSharesPatch(s track.Routes, target v1alpha1.Color) []Op {
	var ops []Op
	for _, r := range s.Gateway.Rules {
		if ref, found := r.Refs[target]; found && ref.Weight == 0 {
			ops = append(ops, Op{Op: "remove", Path: refPointer(r.Index, ref.Index)})
		}
	}
	if ops == nil {
		return nil
	}
	return append(guard(s), ops...)
}

// RefusedError says why Turnout cannot move users by a route.
type RefusedError struct {
	Route   string
	Refusal track.Refusal
}

// refusedRoute is the first of a route's refusals; nil if it has none.
func refusedRoute(s track.Routes) error {
	if refused := s.Gateway.Refusals; len(refused) > 0 {
		return &RefusedError{Route: s.String(), Refusal: refused[0]}
	}
	return nil
}

func (e *RefusedError) Error() string { return e.Route + ": " + e.Refusal.String() }
