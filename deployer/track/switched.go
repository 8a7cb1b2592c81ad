package track

import (
	"cmp"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// SwitchTakenUp reports whether users are where the last routes send them, as far as that can be
// known; until then they may be on either colour. On Google's load balancer only a sign counts.
// The absence of a failure event is no sign: events get lost, and a controller may emit only so
// many. Other load balancers report nothing, so a fixed time has to pass. A record of an older
// version, which did not note the load balancer, is settled if its colour has been shrunk.
func SwitchTakenUp(last *v1alpha1.SwitchRecord, lb v1alpha1.LoadBalancer) bool {
	switch {
	case last == nil, last.LoadBalancer == "" && last.Shrunk && last.OverruledAt == nil:
		return true
	case last.LoadBalancer == v1alpha1.LoadBalancerGateway, lb == v1alpha1.LoadBalancerGateway:
		return last.TookEffectAt != nil // by its controller's report, a person's word, or a fixed time
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

// RoutedSince is when the routes got their present form.
func RoutedSince(last *v1alpha1.SwitchRecord) time.Time {
	if last.OverruledAt != nil {
		return last.OverruledAt.Time
	}
	return last.At.Time
}

// RoutedTo is the colour that the recorded routes lead to.
func RoutedTo(last *v1alpha1.SwitchRecord) v1alpha1.Color {
	return cmp.Or(last.OverruledTo, last.To.Color)
}

// ShrinkAt is when the colour that the last switch left may be shrunk. open is false if it
// already is, or if that time is not known yet. Users may be there until a sign shows that the
// load balancer took up the switch. Nobody knows where they are while the Ingress routes them to
// both colours or to neither. A colour that was restored away from has failed, and is not held.
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

// DrainedAt is when a release may change a colour that users left; zero if it always may.
func DrainedAt(bg *v1alpha1.BlueGreen, target v1alpha1.Color, release string) time.Time {
	s := bg.Status.LastSwitch
	if s == nil || s.UID == release || s.From.Color != target && s.OverruledAt == nil {
		return time.Time{}
	}
	return Effective(s).Add(bg.Spec.DrainTime())
}

// Effective is when a switch took effect, as far as is known. Users cannot have left before that.
func Effective(s *v1alpha1.SwitchRecord) time.Time {
	if s.TookEffectAt != nil && s.TookEffectAt.After(RoutedSince(s)) {
		return s.TookEffectAt.Time
	}
	return RoutedSince(s)
}
