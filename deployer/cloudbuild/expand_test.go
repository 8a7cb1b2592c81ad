package cloudbuild_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

func TestExpandReplacesAsCloudBuildDoes(t *testing.T) {
	values := map[string]string{
		"A": "1", "_B": "two", "BRANCH": "feature/x-Y", "_EMPTY": "", "_IN": "${BRANCH//\\//-}", "_P": "a/b/c.tar.gz",
		"_V": "v1.2.3",
	}
	tests := []struct {
		text, want string
		missing    []string
	}{
		{"$A/${_B}", "1/two", nil},
		{"$$A $$$A", "$A $1", nil},
		{"${_B}x$_Bx", "twoxtwox", nil},
		{"$_C ${_C}", " ", []string{"_C"}},
		{"$a $ ${a} ${ $", "$a $ ${a} ${ $", nil},
		{`${BRANCH//\//-}`, "feature-x-Y", nil},
		{"${BRANCH/x/z}", "feature/z-Y", nil},
		{"${BRANCH//[^a-z]/}", "featurex", nil},
		{"${BRANCH,,}", "feature/x-y", nil},
		{"${BRANCH^^}", "FEATURE/X-Y", nil},
		{"${BRANCH,}", "feature/x-Y", nil},
		{"${BRANCH:0:7}", "feature", nil},
		{"${BRANCH:8}", "x-Y", nil},
		{"${BRANCH: -3}", "x-Y", nil},
		{"${BRANCH##*/}", "x-Y", nil},
		{"${_P#*/}", "b/c.tar.gz", nil},
		{"${_P%.*}", "a/b/c.tar", nil},
		{"${_P%%.*}", "a/b/c", nil},
		{"${_P%/*}:${#_B}", "a/b:3", nil},
		{"${_V#v}", "1.2.3", nil},
		{"${_V/#v/release-}${_V/#1/x}", "release-1.2.3v1.2.3", nil},
		{"${_P/%.tar*/.zip}${_V//%3/x}", "a/b/c.zipv1.2.3", nil},
		{"${_C:-$_B}", "two", nil},
		{"${_EMPTY:-x}${_EMPTY-y}", "x", nil},
		{"${_C-x}${_B:+y}${_C:+z}", "xy", nil},
		{"${_C:-$_D}", "", []string{"_D"}},
		{"${_C,,}", "", []string{"_C"}},
		{"$_IN", "feature-x-Y", nil},
		{"${_IN^^}", "FEATURE-X-Y", nil},
	}
	for _, test := range tests {
		got, missing, err := cloudbuild.Expand(test.text, values, 1000)
		if got != test.want || !cmp.Equal(missing, test.missing) || err != nil {
			t.Errorf("%q became %q, missing %v, error %v; want %q, %v", test.text, got, missing, err, test.want, test.missing)
		}
	}
}

func TestWhatCloudBuildWouldNotReplaceIsRefused(t *testing.T) {
	values := map[string]string{"_A": "a", "_LOOP": "x$_KNOT", "_KNOT": "$_LOOP", "_SELF": "${_SELF:-x}"}
	for text, says := range map[string]string{
		"$_LOOP":                 "refers to itself",
		"$_SELF":                 "refers to itself",
		"${_A:=x}":               "cannot know before",
		"${_A//x/$(id)}":         "cannot know before",
		"${_A//x/`id`}":          "cannot know before",
		"${_A:$((1+1))}":         "cannot know before",
		"${_A[0]}":               "cannot know before",
		"${_A@Q}":                "cannot know before",
		"${_A!!}":                "not an operation",
		"${_A:-" + "$_LOOP}":     "refers to itself",
		strings.Repeat("x", 101): "longer than 100 bytes",
	} {
		got, _, err := cloudbuild.Expand(text, values, 100)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s became %q, error %v, want %q", text, got, err, says)
		}
	}
}

// expanding are small files that expand to gigabytes.
func expanding() map[string]string {
	const head = "steps: [{name: x}]\nimages: ['gcr.io/p/app:%s']\nsubstitutions:\n"
	doubling := fmt.Sprintf(head, "$_A00")
	for i := range 40 {
		doubling += fmt.Sprintf("  _A%02d: '$_A%02d$_A%02d'\n", i, i+1, i+1)
	}
	bash := fmt.Sprintf(head, "$_A") + "  _A: '" + strings.Repeat("${_B//x/$_B}", 800) + "'\n  _B: '" + strings.Repeat("x", 9_000) + "'\n"
	nested := fmt.Sprintf(head, "${_A//x/${_A//x/${_A//x/$_A}}}") + "  _A: '" + strings.Repeat("x", 4_000) + "'\n"
	merges := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		merges += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	mergeKeys := "steps:\n- &m0 {name: x}\n"
	for i := range 30 {
		mergeKeys += fmt.Sprintf("- &m%d {<<: [*m%d, *m%d, *m%d]}\n", i+1, i, i, i)
	}
	return map[string]string{
		"long value": fmt.Sprintf(head, "$_A") + "  _A: '" + strings.Repeat("$_B", 10_000) + "'\n  _B: '" + strings.Repeat("x", 20_000) +
			"'\n",
		"allowed values": fmt.Sprintf(head, "$_A") + "  _A: '" + strings.Repeat("$_B", 3_300) + "'\n  _B: '" + strings.Repeat("x", 9_000) + "'\n",
		"doubling":       doubling, "operations": bash, "nested operations": nested,
		"images": "steps: [{name: x}]\nimages: ['gcr.io/p/app:" + strings.Repeat("$_B", 9_000) + "']\nsubstitutions: {_B: '" +
			strings.Repeat("x", 9_000) + "'}\n",
		"anchors": merges, "merge keys": mergeKeys,
		"texts":          "steps:\n- name: x\n  args: [&t '" + strings.Repeat("x", 9_000) + "'" + strings.Repeat(", *t", 9_000) + "]\n",
		"deep":           strings.Repeat("[", 20_000),
		"deep mappings":  strings.Repeat("a: {", 20_000),
		"self":           "steps: &s [*s]\n",
		"merged in self": "x: &x {<<: *x}\n<<: *x\n",
		"empty nodes":    "steps: [" + strings.Repeat(",", 250_000) + "]\n",
		"steps":          "images: [i]\nsteps:\n" + strings.Repeat("- name: x\n", 20_000),
	}
}

func TestNoSmallFileTakesALotOfMemory(t *testing.T) {
	for name, text := range expanding() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
			if err == nil {
				_, err = f.Choose(request(), cloudbuild.ImageChoice{})
			}
			runtime.ReadMemStats(&after)
			if spent := after.TotalAlloc - before.TotalAlloc; spent > 128<<20 {
				t.Errorf("a file of %d KB took %d MB", len(text)>>10, spent>>20)
			}
			var bad *cloudbuild.FileError
			if !errors.As(err, &bad) || bad.Line == 0 || bad.Fix == "" {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnExpansionIsRefusedWithLineFieldAndWayOut(t *testing.T) {
	for name, want := range map[string]string{
		"long value": "cloudbuild.yaml:4: substitutions._A: is 30000 bytes long, more than an argument of a step may have (10000); keep " +
			"it in a file of the repository that the step reads",
		"allowed values": "cloudbuild.yaml:4: substitutions._A: becomes longer than 10000 bytes once the substitutions in it are replaced, " +
			"which Cloud Build refuses; use shorter values",
		"doubling": "cloudbuild.yaml:30: substitutions._A26: becomes longer than 10000 bytes",
		"images": "cloudbuild.yaml:2: images[0]: becomes longer than 1000 bytes once its substitutions are replaced, which Cloud " +
			"Build refuses; use shorter values",
		"nested operations": "cloudbuild.yaml:2: images[0]: ${_A//x/${_A//x/${_A//x/$_A}}} produces too long a text; write the value out",
		"steps":             "cloudbuild.yaml:303: steps[300]: is one of 20000 steps, and Cloud Build takes 300; do more in one step",
	} {
		text := expanding()[name]
		if name == "doubling" { // the innermost has a value, and each level above doubles it
			text = strings.Replace(text, "  _A39: '$_A40$_A40'\n", "  _A39: xx\n", 1)
		}
		f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
		if err == nil {
			_, err = f.Choose(request(), cloudbuild.ImageChoice{})
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
}

func TestSubstitutionsThatReferToThemselvesAreNamed(t *testing.T) {
	f := parse(t, someSteps+"images: ['gcr.io/p/$_A']\nsubstitutions: {_A: '$_B$_B', _B: '$_A$_A'}\n")
	_, err := f.Choose(request(), cloudbuild.ImageChoice{})
	if err == nil || !strings.Contains(err.Error(), "cloudbuild.yaml:5: substitutions._A: has a value that refers to itself") {
		t.Error(err)
	}
}
