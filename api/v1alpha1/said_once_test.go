package v1alpha1

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// once are facts that only this package states, with a pattern of what a copy elsewhere
// would look like. A copy diverges at the next change.
var once = []struct {
	fact, use string
	copy      *regexp.Regexp
	// apart are the files where the pattern means something else.
	apart map[string]string
}{
	{
		fact: "what a commit's hash looks like", use: "v1alpha1.IsCommit, IsCommitStart or CommitDigits",
		copy: regexp.MustCompile(`\[0-9a-f\]\{(7|40|64)\b|40 hexadecimal`),
		apart: map[string]string{
			"deployer/cloudbuild/reference.go": "the digest of an image",
		},
	},
	{
		fact: "how long the record is kept", use: "v1alpha1.KeptFor or ReplayedFor",
		copy: regexp.MustCompile(`[0-9]+ ?\* ?24 ?\* ?time\.Hour`),
		apart: map[string]string{
			"internal/controlplane/authority.go": "certificates of tests",
		},
	},
	{
		fact: "how people read a time", use: "prose.Minute instead",
		copy:  regexp.MustCompile(`2006-01-02 15:04`),
		apart: map[string]string{"internal/prose/time.go": "the place"},
	},
	{
		fact: "how people read a duration", use: "prose.Span, Latency, Estimate or Setting instead",
		copy:  regexp.MustCompile(`%(\.1f|\.0f|d) (s|ms|min|h)\b`),
		apart: map[string]string{"internal/prose/time.go": "the place"},
	},
	{
		fact: "who locked an application", use: "prose.Locked or track.WaitsForUnlock instead",
		copy:  regexp.MustCompile(`"locked by |For: +v1alpha1\.WaitsForLock\b`),
		apart: map[string]string{"internal/prose/who.go": "the place", "deployer/track/waiting.go": "the place"},
	},
}

func TestTheSchemaHasTheCommitPattern(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../config/crd/turnout.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	optional := "^(" + strings.Trim(CommitPattern, "^$") + ")?$"
	var found []string
	for line := range strings.Lines(string(data)) {
		if pattern, ok := strings.CutPrefix(strings.TrimSpace(line), "pattern: "); ok && strings.Contains(pattern, "0-9a-f") {
			found = append(found, pattern)
			if pattern != CommitPattern && pattern != optional {
				t.Errorf("the schema has the pattern %s, want %s or %s", pattern, CommitPattern, optional)
			}
		}
	}
	if len(found) < 2 {
		t.Errorf("the schema has only these patterns for commits: %q", found)
	}
}

func TestAFactIsSaidOnce(t *testing.T) {
	t.Parallel()
	files := 0
	for _, dir := range []string{"bot", "cmd", "deployer", "internal", "record"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !isProduct(path, d) {
				return err
			}
			text, err := os.ReadFile(path)
			files++
			for _, f := range once {
				name := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
				if found := f.copy.Find(text); found != nil && f.apart[name] == "" {
					t.Errorf("%s repeats %s (%q): use %s", name, f.fact, found, f.use)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 200 {
		t.Errorf("only %d files were read", files)
	}
}

// isProduct reports whether a file is code that users run.
func isProduct(path string, d fs.DirEntry) bool {
	return !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "test/")
}
