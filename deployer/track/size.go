package track

// Size returns the replicas that a target needs to take over from live: as many as live has now,
// and at least the minimum of the spec and of either colour's autoscaler. size is capped at the
// maximum of the target's autoscaler, which would scale it down again; wanted is not.
func Size(least int32, live, target Side) (size, wanted int32) {
	wanted = max(least, live.Replicas, live.Autoscaler.Min, target.Autoscaler.Min)
	return target.Autoscaler.Allows(wanted), wanted
}

// Autoscaler is the HorizontalPodAutoscaler of a colour's Deployment. The zero value means none.
type Autoscaler struct {
	// Name of the object; "" if there is none.
	Name string

	// Min is its owner's minimum, Max its maximum.
	Min, Max int32

	// Current is the minimum in force: the owner's, or the one that the deployer set.
	Current int32

	// Marked: its annotation records that Turnout raised the minimum.
	Marked bool

	// Overruled: somebody else has set the minimum since Turnout raised it.
	Overruled bool
}

// Allows returns a size, capped at the autoscaler's maximum.
func (a Autoscaler) Allows(size int32) int32 {
	if a.Name == "" {
		return size
	}
	return min(size, a.Max)
}

// Below reports whether the autoscaler's minimum must be raised for a size.
func (a Autoscaler) Below(size int32) bool {
	return a.Name != "" && !a.Overruled && a.Current < a.Allows(size)
}
