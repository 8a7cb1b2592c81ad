package bot

// InFlight returns how many bytes of the small and the large share are in use.
func (h *Webhook) InFlight() (small, large int64) {
	for s, used := range map[*share]*int64{&h.bodies.small: &small, &h.bodies.large: &large} {
		s.mu.Lock()
		*used = s.used
		s.mu.Unlock()
	}
	return small, large
}
