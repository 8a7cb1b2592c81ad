package track

import (
	"cmp"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// SwitchTakenUp reports whether users are where the last written routes send them, as far
// as that can ever be known: until then they may be on either colour. On Google's load
// balancer only a sign counts. A missing event against the switch is not a sign: events
// get lost, and a controller has a budget of them. Other load balancers do not report it;
// there, some time has to do. A record from a version that did not note the load balancer
// is settled if its colour has been shrunk.
func SwitchTakenUp(last *v1alpha1.SwitchRecord, lb v1alpha1.LoadBalancer) bool {
	switch {
	case last == nil, last.LoadBalancer == "" && last.Shrunk && last.OverruledAt == nil:
		return true
	case last.LoadBalancer == v1alpha1.LoadBalancerGateway, lb == v1alpha1.LoadBalancerGateway:
		return last.TookEffectAt != nil // by its controller, a person, or by a time where that does not tell
	case last.LoadBalancer != v1alpha1.LoadBalancerGCE && lb != v1alpha1.LoadBalancerGCE:
		return true
	}
	return last.TookEffectAt != nil && Tells(last.TookEffectBy)
}

// Tells reports whether a sign shows that Google's load balancer took up its routes.
func Tells(s v1alpha1.Sign) bool {
	return s == v1alpha1.SignURLMap || s == v1alpha1.SignRouteStatus || s == v1alpha1.SignURLMapRead || s == v1alpha1.SignNewVersion ||
		s == v1alpha1.SignPerson
}

// RoutedSince is when the routes became what they are.
func RoutedSince(last *v1alpha1.SwitchRecord) time.Time {
	if last.OverruledAt != nil {
		return last.OverruledAt.Time
	}
	return last.At.Time
}

// RoutedTo is the colour to which the routes of a record lead.
func RoutedTo(last *v1alpha1.SwitchRecord) v1alpha1.Color {
	return cmp.Or(last.OverruledTo, last.To.Color)
}

// ShrinkAt is when the colour that the last switch left may be shrunk. open is false if it
// already is, or if nobody knows yet. Users may be there until something shows that the load
// balancer took up the switch, and nobody knows where they are if the Ingress does not
// route them to one colour. The colour that a restore left has failed, and is not held.
func ShrinkAt(bg *v1alpha1.BlueGreen, routes Routes) (at time.Time, open bool) {
	last := bg.Status.LastSwitch
	if last == nil || last.Shrunk || routes.Live() == "" || !SwitchTakenUp(last, routes.LoadBalancer) {
		return time.Time{}, false
	}
	at = Effective(last).Add(bg.Spec.DrainTime())
	if held := Effective(last).Add(bg.Spec.HoldTime()); last.Kind != v1alpha1.KindRestore && held.After(at) {
		at = held
	}
	return at, true
}

// DrainedAt is when a release may touch a colour that users left; zero if it always may.
func DrainedAt(bg *v1alpha1.BlueGreen, target v1alpha1.Color, release string) time.Time {
	s := bg.Status.LastSwitch
	if s == nil || s.UID == release || s.From.Color != target && s.OverruledAt == nil {
		return time.Time{}
	}
	return Effective(s).Add(bg.Spec.DrainTime())
}

// Effective is when a switch took effect, as far as is known: users cannot have left before
// that.
func Effective(s *v1alpha1.SwitchRecord) time.Time {
	if s.TookEffectAt != nil && s.TookEffectAt.After(RoutedSince(s)) {
		return s.TookEffectAt.Time
	}
	return RoutedSince(s)
}
