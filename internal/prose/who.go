package prose

// By names who did something, and by which release: alice (shop-4f2c-1). Either may be
// unknown.
func By(person, release string) string {
	switch {
	case person == "":
		return release
	case release == "":
		return person
	}
	return person + " (" + release + ")"
}

// Locked says who locked an application, when and why.
func Locked(by, since, reason string) string {
	text := "locked by " + by + " since " + since
	if reason != "" {
		text += ": " + reason
	}
	return text
}
