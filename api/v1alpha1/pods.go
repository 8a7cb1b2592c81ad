package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

const (
	// MaxPods is how many checked pods a release can record.
	MaxPods = 1000
	// NamedPods of them are recorded by name, the others by a digest of the name: a
	// thousand names would be too large to write.
	NamedPods = 32
	// PodDigest is the length of a digest.
	PodDigest = 13
)

// RecordedPods is a list of pods in the form of the record.
func RecordedPods(names []string) []string {
	recorded := slices.Clone(names)
	for i := NamedPods; i < len(recorded); i++ {
		recorded[i] = podDigest(recorded[i])
	}
	return recorded
}

// HasPod reports whether a recorded list has a pod.
func HasPod(recorded []string, name string) bool {
	return slices.Contains(recorded, name) || len(recorded) > NamedPods && slices.Contains(recorded[NamedPods:], podDigest(name))
}

func podDigest(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "#" + hex.EncodeToString(sum[:])[:PodDigest-1]
}
