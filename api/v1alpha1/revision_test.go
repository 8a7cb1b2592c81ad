package v1alpha1

import (
	"strings"
	"testing"
)

func TestRevisionIsTheCommitOrWhatTheTagSaysOfIt(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 20)
	for tag, want := range map[string]string{
		hash: hash, "main-" + hash: hash, "v1.2." + hash: hash, "0a0a0a0": "0a0a0a0", "sha-0a0a0a0b": "0a0a0a0b",
		"": "", "latest": "", "v1.0.0": "", "20240131": "", "1234567": "", "0a0a0": "", "x" + hash: "", hash + "-slim": "", "main-0a0a0a0": "",
		strings.ToUpper(hash): "",
	} {
		if got := (Version{Tag: tag}).Revision(); got != want {
			t.Errorf("the tag %q says %q, want %q", tag, got, want)
		}
		if got := (Version{Tag: tag, Commit: "c0"}).Revision(); got != "c0" {
			t.Errorf("with its commit, the tag %q says %q", tag, got)
		}
	}
}
