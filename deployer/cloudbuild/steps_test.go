package cloudbuild_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

func TestTheReferenceKeepsExactlyItsDockerSteps(t *testing.T) {
	f := reference(t)
	var ids []string
	for _, step := range f.Build.GetSteps() {
		ids = append(ids, fmt.Sprint(step.GetId(), " ", step.GetName(), " ", step.GetWaitFor()))
	}
	want := []string{"Build Image gcr.io/cloud-builders/docker []", "Push Image gcr.io/cloud-builders/docker []"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if len(f.Warnings) != 3 || f.Warnings[0].Line != 8 || !strings.Contains(f.Warnings[0].Message, "Update Green Deployment") {
		t.Errorf("warnings %v", f.Warnings)
	}
}

// steps writes a file from "id:wait,wait" words. An id in capitals is a cluster step;
// "_" is a step without an id, and "K" is one that changes the cluster.
func steps(words string) string {
	var out strings.Builder
	out.WriteString("steps:\n")
	for word := range strings.FieldsSeq(words) {
		id, wait, waits := strings.Cut(word, ":")
		builder := "docker"
		if id == strings.ToUpper(id) && id != "_" {
			builder = "kubectl"
		}
		fmt.Fprintf(&out, "- name: %s\n  args: [x]\n", builder)
		if id != "_" && id != "K" {
			fmt.Fprintf(&out, "  id: %s\n", id)
		}
		if waits {
			fmt.Fprintf(&out, "  waitFor: ['%s']\n", strings.ReplaceAll(wait, ",", "','"))
		}
	}
	return out.String() + someImage
}

func TestWaitForIsRewiredThroughRemovedSteps(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"nothing removed", "a b:a c:-", "a b:a c:-"},
		{"no waitFor stays", "a K b", "a b"},
		{"a chain", "a b:a X:b c:X", "a b:a c:b"},
		{"a chain of removed ones", "a X:a W:X Z:W b:Z", "a b:a"},
		{"removed first: start at once, not after all", "X:- a b:X", "a b:-"},
		{"removed first without waitFor", "X a b:X", "a b:-"},
		{"removed without waitFor waits for all above it", "a b:- X c:- d:X", "a b:- c:- d:a,b"},
		{"all above through a removed one", "a:- X:- b:- W c:W", "a:- b:- c:a,b"},
		{"kept and removed", "a b:- X:a c:b,X", "a b:- c:a,b"},
		{"no duplicates", "a X:a W:a b:a,X,W", "a b:a"},
		{"unnamed steps get a name", "_ X a:- b:X", "turnout-step-0 a:- b:turnout-step-0"},
		{"a name already taken", "turnout-step-1 _ X b:X", "turnout-step-1 turnout-step-1- b:turnout-step-1,turnout-step-1-"},
		{"a dash beside a removed one", "a X:- b:-,X", "a b:-"},
		{"unrelated waits are untouched", "a X b:a", "a b:a"},
		{"removed unnamed", "a K b:a", "a b:a"},
		{"removed last", "a b X", "a b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, step := range parse(t, steps(test.before)).Build.GetSteps() {
				word := step.GetId()
				if len(step.GetWaitFor()) > 0 {
					word += ":" + strings.Join(step.GetWaitFor(), ",")
				}
				got = append(got, word)
			}
			if strings.Join(got, " ") != test.after {
				t.Errorf("%s became %s, want %s", test.before, strings.Join(got, " "), test.after)
			}
		})
	}
}

func TestClusterStepsAreRecognised(t *testing.T) {
	tests := []struct {
		step    string
		cluster bool
	}{
		{"name: gcr.io/cloud-builders/kubectl", true},
		{"name: 'gcr.io/cloud-builders/kubectl:1.2@sha256:00'", true},
		{"name: gcr.io/cloud-builders/gke-deploy\n  args: [run]", true},
		{"name: 'localhost:5000/x/helm'", true},
		{"name: gcr.io/cloud-builders/docker\n  args: [build, --build-arg, kubectl, .]", false},
		{"name: gcr.io/cloud-builders/docker\n  entrypoint: bash\n  args: [-c, 'docker build . && echo done']", false},
		{"name: gcr.io/google.com/cloudsdktool/cloud-sdk\n  entrypoint: kubectl\n  args: [apply, -f, x]", true},
		// the image has no entrypoint
		{"name: gcr.io/google.com/cloudsdktool/cloud-sdk\n  args: [gcloud, container, clusters, get-credentials, c]", true},
		{"name: gcr.io/google.com/cloudsdktool/cloud-sdk\n  entrypoint: gcloud\n  args: [container, clusters, get-credentials, c]", true},
		{"name: gcr.io/google.com/cloudsdktool/cloud-sdk\n  entrypoint: gcloud\n  args: [--quiet, --project, p, beta, run, deploy, a]", true},
		{"name: gcr.io/cloud-builders/gcloud\n  args: [deploy, releases, create, r]", true},
		{"name: gcr.io/cloud-builders/gcloud\n  args: [container, images, add-tag, a, b]", false},
		{"name: gcr.io/cloud-builders/gcloud\n  args: [storage, cp, a, b]", false},
		{"name: gcr.io/cloud-builders/gcloud\n  entrypoint: bash\n  args: ['-c', \"sed s/a/b/ x.yaml | kubectl apply -f -\"]", true},
		{
			"name: ubuntu\n  script: |\n    #!/bin/bash\n    set -e\n    KUBECONFIG=x /usr/bin/kubectl \\\n      -n shop set image deploy/a a=b",
			true,
		},
		{"name: ubuntu\n  script: |\n    # kubectl apply is for later\n    echo kubectl apply", false},
		{"name: ubuntu\n  script: kubectl -n shop version", false},
		{"name: ubuntu\n  script: helm template . > out.yaml", false},
		{"name: ubuntu\n  script: if true; then helm upgrade a .; fi", true},
		{"name: ubuntu\n  script: 'out=$(kubectl delete pod x)'", true},
		{"name: python\n  args: [kubectl.py]", false},
		{"name: python\n  entrypoint: python\n  args: [-m, pytest]", false},
	}
	for _, test := range tests {
		text := "steps:\n- " + test.step + "\n- name: docker\n" + someImage
		f, err := cloudbuild.Parse("f", []byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		_, err = f.Apply(cloudbuild.Fail)
		if (err != nil) != test.cluster {
			t.Errorf("%s: %v", test.step, err)
		}
	}
}

func TestFailRefusesAndAllowKeeps(t *testing.T) {
	f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(steps("a DEPLOY")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Apply(cloudbuild.Fail)
	var bad *cloudbuild.FileError
	if !errors.As(err, &bad) || bad.Step != 1 || bad.Line != 5 || !strings.Contains(err.Error(), "spec.build.clusterSteps") ||
		!strings.Contains(err.Error(), "(DEPLOY)") {
		t.Errorf("error %v", err)
	}
	kept, err := f.Apply(cloudbuild.Allow)
	if err != nil || len(kept.Build.GetSteps()) != 2 {
		t.Errorf("allowed: %v, %v", kept, err)
	}
	if _, err := f.Apply("Maybe"); err == nil {
		t.Error("an unknown policy was accepted")
	}
	skipped, err := f.Apply("")
	if err != nil || len(skipped.Build.GetSteps()) != 1 || len(f.Build.GetSteps()) != 2 {
		t.Errorf("skipped: %v, %v", skipped, err)
	}
}

func TestNothingThatBuildsTheImageIsSkipped(t *testing.T) {
	for name, text := range map[string]string{
		"mixed":   "steps:\n- name: ubuntu\n  script: docker build . && kubectl apply -f .\n- name: docker\n" + someImage,
		"nothing": steps("X W"),
	} {
		f, err := cloudbuild.Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Apply(cloudbuild.Skip); err == nil || !strings.Contains(err.Error(), "spec.build.clusterSteps") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestSkippingKeepsOrder(t *testing.T) {
	// Whatever is removed, a kept step comes before another kept one exactly if it did
	// so in the file.
	waits := []string{"", ":-", ":a"}
	for n := range 3 * 3 * 3 * 3 * 16 {
		var words []string
		removed := n % 16
		rest := n / 16
		for i, id := range []string{"a", "b", "c", "d", "e"} {
			word := id
			if i > 0 {
				wait := waits[rest%3]
				rest /= 3
				if wait == ":a" {
					wait = ":" + []string{"a", "a", "b", "c", "d"}[i]
				}
				word += wait
			}
			words = append(words, word)
		}
		before := strings.Join(words, " ")
		var names []string
		for i, id := range []string{"a", "b", "c", "d"} {
			if removed>>i&1 == 1 {
				names = append(names, id)
			}
		}
		text := steps(before)
		for _, id := range names {
			text = strings.Replace(text, "- name: docker\n  args: [x]\n  id: "+id+"\n", "- name: kubectl\n  args: [x]\n  id: "+id+"\n", 1)
		}
		whole, err := cloudbuild.Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		skipped, err := whole.Apply(cloudbuild.Skip)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(order(whole), func(pair string) bool { return strings.ContainsAny(pair, strings.Join(names, "")) })
		if got := order(skipped); !slices.Equal(got, want) {
			t.Fatalf("%s without %v: order %v, want %v", before, names, got, want)
		}
	}
}

// order lists the pairs "x<y" of steps where y starts only after x.
func order(f *cloudbuild.File) []string {
	after := map[string]map[string]bool{}
	var above, pairs []string
	for _, step := range f.Build.GetSteps() {
		all := map[string]bool{}
		direct := step.GetWaitFor()
		if len(direct) == 0 {
			direct = above
		}
		for _, id := range direct {
			if id == "-" {
				continue
			}
			all[id] = true
			for earlier := range after[id] {
				all[earlier] = true
			}
		}
		after[step.GetId()] = all
		above = append(above, step.GetId())
		for id := range all {
			pairs = append(pairs, id+"<"+step.GetId())
		}
	}
	slices.Sort(pairs)
	return pairs
}
