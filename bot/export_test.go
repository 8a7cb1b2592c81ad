package bot

// InFlight returns the bytes that small and large bodies have of their shares.
func (h *Webhook) InFlight() (small, large int64) {
	for s, used := range map[*share]*int64{&h.bodies.small: &small, &h.bodies.large: &large} {
		s.mu.Lock()
		*used = s.used
		s.mu.Unlock()
	}
	return small, large
}
