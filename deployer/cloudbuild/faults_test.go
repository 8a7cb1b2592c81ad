package cloudbuild_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// The files in testdata/faults have the shapes of published cloudbuild.yaml files that went
// wrong, rewritten, one folder per kind.

func readFault(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/faults", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// built is the digest that a release of the file deploys.
func built(t *testing.T, text string, r cloudbuild.Request) (string, error) {
	t.Helper()
	f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
	if err != nil {
		return "", err
	}
	if f, err = f.Apply(cloudbuild.Skip); err != nil {
		return "", err
	}
	chosen, err := f.Choose(r, cloudbuild.ImageChoice{})
	if err != nil {
		return "", err
	}
	server := cloudbuildtest.New(t, cloudbuildtest.Config{})
	client := connect(t, server)
	handle, err := client.Start(t.Context(), r, f)
	if err != nil {
		return "", err
	}
	return await(t, client, handle, cloudbuild.State.Done).Digest(chosen.Image)
}

// ordered is a file of one docker step with this image, followed by rest.
func ordered(image, rest string) string {
	return "steps:\n- name: gcr.io/cloud-builders/docker\n  args: [build, -t, '" + image + "', .]\nimages: ['" + image + "']\n" + rest
}

func TestFilesThatGcloudTakesAreTaken(t *testing.T) {
	for _, file := range []string{
		"01-merge-key-overridden/cloudbuild.yaml", "02-null-substitution/cloudbuild.yaml", "02-null-substitution/cloudbuild-null-word.yaml",
		"03-scalar-for-list/env.yaml", "03-scalar-for-list/images.yaml", "03-scalar-for-list/tags.yaml", "03-scalar-for-list/waitfor.yaml",
	} {
		digest, err := built(t, readFault(t, file), request())
		if err != nil || !strings.HasPrefix(digest, "gcr.io/acme-prod/orders@sha256:") {
			t.Errorf("%s: %q, %v", file, digest, err)
		}
	}
}

func TestAKeyOfTheMappingWinsOverAMergedOne(t *testing.T) {
	steps := parse(t, readFault(t, "01-merge-key-overridden/cloudbuild.yaml")).Build.GetSteps()
	if len(steps) != 2 || steps[1].GetArgs()[0] != "build" || steps[1].GetTimeout().GetSeconds() != 300 || steps[0].GetArgs()[0] != "pull" {
		t.Errorf("steps %v", steps)
	}
	f := parse(t, "steps:\n- &a {name: a, id: one, env: [A=1], wait_for: ['-']}\n- &b {name: b, dir: d, id: two}\n"+
		"- <<: [*b, *a]\n  id: three\n  waitFor: [one]\n- args: [x]\n  <<: *b\n  id: four\n"+someImage+
		"substitutions: &s {_A: a, _B: b}\n")
	third := f.Build.GetSteps()[2]
	if third.GetName() != "b" || third.GetDir() != "d" || third.GetEnv()[0] != "A=1" || third.GetId() != "three" ||
		!cmp.Equal(third.GetWaitFor(), []string{"one"}) {
		t.Errorf("third %v", third)
	}
	f = parse(t, "steps: [{name: a, <<: {}}]\n"+someImage+"options: {env: [X=1]}\nsubstitutions: {<<: {_A: a, _B: b}, _A: own}\n")
	if got := f.Build.GetSubstitutions(); !cmp.Equal(got, map[string]string{"_A": "own", "_B": "b"}) {
		t.Errorf("substitutions %v", got)
	}
	whole := parse(t, "<<: {images: [gcr.io/p/a], steps: [{name: a}]}\ntimeout: 60s\n")
	if len(whole.Build.GetSteps()) != 1 || len(whole.Build.GetImages()) != 1 {
		t.Errorf("build %v", whole.Build)
	}
}

func TestASubstitutionWithoutAValueIsEmptyOrTheSpecs(t *testing.T) {
	for _, file := range []string{"cloudbuild.yaml", "cloudbuild-null-word.yaml"} {
		f := parse(t, readFault(t, "02-null-substitution/"+file))
		r := request()
		b, err := r.Build(f)
		if value, ok := b.GetSubstitutions()["_PIP_INDEX"]; err != nil || !ok || value != "" || b.GetSubstitutions()["_PYTHON"] != "3.12" {
			t.Errorf("%s: %v, %v", file, b.GetSubstitutions(), err)
		}
		r.Substitutions = map[string]string{"_PIP_INDEX": "x"}
		if b, err = r.Build(f); err != nil || b.GetSubstitutions()["_PIP_INDEX"] != "x" {
			t.Errorf("%s: %v, %v", file, b.GetSubstitutions(), err)
		}
	}
	_, err := built(t, ordered("gcr.io/$PROJECT_ID/$_NAME", "substitutions:\n  _NAME: ~\n"), request())
	if err == nil || !strings.Contains(err.Error(), "set spec.build.substitutions._NAME") {
		t.Error(err)
	}
}

func TestASingleValueIsAListOfOne(t *testing.T) {
	f := parse(t, readFault(t, "03-scalar-for-list/waitfor.yaml"))
	if got := f.Build.GetSteps()[1].GetWaitFor(); !cmp.Equal(got, []string{"-"}) {
		t.Errorf("waitFor %v", got)
	}
	f = parse(t, "steps: {name: a, args: build, volumes: {name: v, path: /v}, secret_env: T, allowExitCodes: 3}\nimages: gcr.io/p/a\n"+
		"availableSecrets: {secretManager: {versionName: v, env: T}}\n")
	step := f.Build.GetSteps()[0]
	if step.GetArgs()[0] != "build" || step.GetVolumes()[0].GetPath() != "/v" || step.GetSecretEnv()[0] != "T" ||
		step.GetAllowExitCodes()[0] != 3 || f.Build.GetAvailableSecrets().GetSecretManager()[0].GetEnv() != "T" {
		t.Errorf("build %v", f.Build)
	}
}

func TestAnImageWithoutANameIsRefusedBeforeTheBuild(t *testing.T) {
	tests := []struct{ text, says string }{
		{
			readFault(t, "05-undefined-substitution-in-images/undefined.yaml"),
			"cloudbuild.yaml:4: images[0]: ${_LOCATION} has no value; set spec.build.substitutions._LOCATION",
		},
		{
			readFault(t, "05-undefined-substitution-in-images/empty.yaml"),
			`cloudbuild.yaml:4: images[0]: ${_HOST} is empty, which makes the image "/acme-prod/orders:` + commit +
				`"; set spec.build.substitutions._HOST`,
		},
		{
			readFault(t, "05-undefined-substitution-in-images/tag-name.yaml"),
			"cloudbuild.yaml:4: images[0]: $TAG_NAME is empty: a release builds a commit of a branch, not a tag; use $COMMIT_SHA",
		},
		{ordered("gcr.io/p/orders:$_TAG", "substitutions: {_TAG: $TAG_NAME}\n"), "images[0]: $TAG_NAME is empty"},
		{ordered("gcr.io/p/orders:${TAG_NAME#v}", ""), "images[0]: $TAG_NAME is empty"},
		{ordered("gcr.io/p/orders:$REF_NAME", ""), "use $BRANCH_NAME"},
		{ordered("gcr.io/p/orders:$TRIGGER_NAME", ""), "in a build that no trigger starts"},
		{ordered("gcr.io/p/orders$_SUFFIX", ""), "${_SUFFIX} has no value; set spec.build.substitutions._SUFFIX"},
		{ordered("gcr.io/p/orders:${_SUFFIX//a/b}", ""), "${_SUFFIX} has no value"},
		{
			ordered("gcr.io/p/orders:$VERSION", ""),
			"$VERSION is not a substitution of Cloud Build; name it _VERSION, and set spec.build.substitutions._VERSION",
		},
		{ordered("gcr.io/p/$_A", "substitutions: {_A: ''}\n"), `${_A} is empty, which makes the image "gcr.io/p/"`},
		{ordered("gcr.io/p/Orders", ""), "has capital letters, which no registry accepts"},
		{ordered("gcr.io/p/orders:$BRANCH_NAME", ""), `"gcr.io/p/orders:feature/x" is not the name of an image`},
		{ordered("gcr.io/p/a b", ""), "is not the name of an image"},
		{
			"steps: [{name: a}]\nartifacts:\n  images:\n  - gcr.io/p/a\n  - gcr.io/p/$_B\n",
			"cloudbuild.yaml:5: artifacts.images[1]: ${_B} has no value",
		},
	}
	for _, test := range tests {
		r := request()
		r.Branch = "feature/x"
		digest, err := built(t, test.text, r)
		var bad *cloudbuild.FileError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s\n%s, error %v, want %s", test.text, digest, err, test.says)
		}
	}
}

func TestImagesThatOnlyTheBuildCanNameAreFound(t *testing.T) {
	r := request()
	r.Branch = "feature/X-1"
	spec := map[string]string{"_LOCATION": "europe-west1", "_HOST": "gcr.io"}
	tests := []struct {
		text, prefix string
		given        map[string]string
	}{
		{readFault(t, "05-undefined-substitution-in-images/project-number.yaml"), "gcr.io/acme-prod/t-", nil},
		{readFault(t, "05-undefined-substitution-in-images/undefined.yaml"), "europe-west1-docker.pkg.dev/acme-prod/apps/orders@", spec},
		{readFault(t, "05-undefined-substitution-in-images/empty.yaml"), "gcr.io/acme-prod/orders@", spec},
		{readFault(t, "06-bash-style-substitution-in-images/default.yaml"), "gcr.io/acme-prod/orders@", nil},
		{readFault(t, "06-bash-style-substitution-in-images/in-a-value.yaml"), "gcr.io/acme-prod/orders@", nil},
		{readFault(t, "06-bash-style-substitution-in-images/name.yaml"), "gcr.io/acme-prod/orders@", nil},
		{readFault(t, "06-bash-style-substitution-in-images/tag.yaml"), "gcr.io/acme-prod/orders@", nil},
		{ordered("gcr.io/p/orders:${BUILD_ID:0:8}", ""), "gcr.io/p/orders@", nil},
		{ordered("gcr.io/p/n$PROJECT_NUMBER:${_T}", "substitutions: {_T: 'b-${BUILD_ID}'}\n"), "gcr.io/p/n1", nil},
		{ordered("gcr.io/p/orders:${BRANCH_NAME##*/}", ""), "gcr.io/p/orders@", nil},
		{ordered("gcr.io/p/${REPO_NAME%-app}:${BRANCH_NAME%%/*}", ""), "gcr.io/p/my-python@", nil},
		{ordered("gcr.io/p/${_APP:-orders}:${COMMIT_SHA:0:12}", "substitutions: {_APP: ''}\n"), "gcr.io/p/orders@", nil},
	}
	for _, test := range tests {
		r.Substitutions = test.given
		digest, err := built(t, test.text, r)
		if err != nil || !strings.HasPrefix(digest, test.prefix) || strings.Contains(digest, "$") {
			t.Errorf("%s\n%q, error %v, want %s…", test.text, digest, err, test.prefix)
		}
	}
}

func TestErrorsNameTheUsersLineAndNoSecret(t *testing.T) {
	const secret = "hunter2-Hunter2"
	secrets := func(value string) string {
		return "steps: [{name: a, secretEnv: [TOKEN]}]\n" + someImage + "secrets:\n- kmsKeyName: k\n  secretEnv:\n    TOKEN: " + value + "\n"
	}
	tests := []struct {
		text, says string
	}{
		{
			readFault(t, "11-unclear-parse-errors/disk.yaml"),
			`cloudbuild.yaml:6: options.diskSizeGb: "200GB" is not a number that fits here; write 200`,
		},
		{readFault(t, "11-unclear-parse-errors/secret.yaml"), "cloudbuild.yaml:11: secrets[0].secretEnv.TOKEN: is not base64; "},
		{secrets(secret + "!"), "cloudbuild.yaml:6: secrets[0].secretEnv.TOKEN: is not base64"},
		{secrets("[" + secret + "]"), "cloudbuild.yaml:6: secrets[0].secretEnv.TOKEN: is a list where one value is expected"},
		{
			strings.Replace(secrets("x"), "\n    TOKEN: x", " "+secret, 1),
			"cloudbuild.yaml:5: secrets[0].secretEnv: is a single value where KEY: value pairs are expected",
		},
		{someSteps + someImage + "secrets: " + secret + "\n", "cloudbuild.yaml:5: secrets: is a single value where fields are expected"},
		{
			someSteps + someImage + "availableSecrets:\n  inline:\n  - kmsKeyName: k\n    envMap: {T: '" + secret + "!'}\n",
			"cloudbuild.yaml:8: availableSecrets.inline[0].envMap.T: is not base64",
		},
		{
			"steps:\n- name: a\n  id: Two\n  env:\n  - 4711471147\n" + someImage,
			"cloudbuild.yaml:5: steps[0] (Two): env[0]: is not text in YAML; put its value in single quotes",
		},
		{
			someSteps + someImage + "substitutions:\n  _API_TOKEN: 4711471147\n",
			"cloudbuild.yaml:6: substitutions._API_TOKEN: is not text in YAML",
		},
		{
			"steps:\n- name: a\n  env: {TOKEN: " + secret + "}\n" + someImage,
			"cloudbuild.yaml:3: steps[0]: env: is a mapping where one value is expected",
		},
		{
			someSteps + someImage + "options: {machineType: FAST}\n",
			`cloudbuild.yaml:5: options.machineType: "FAST" is not one of its values; use one of`,
		},
		{
			someSteps + someImage + "options: {dynamicSubstitutions: maybe}\n",
			"cloudbuild.yaml:5: options.dynamicSubstitutions: is neither true nor false",
		},
		{
			someSteps + someImage + "options: {diskSizeGb: 99999999999999999999}\n",
			"options.diskSizeGb: \"99999999999999999999\" is not a number that fits here",
		},
		{"steps:\n- name: a\n  allowExitCodes: [1, two]\n" + someImage, `cloudbuild.yaml:3: steps[0]: allowExitCodes[1]: "two" is not a number`},
		{someSteps + someImage + "tags: [*nowhere]\n", "cloudbuild.yaml:5: does not parse: yaml: unknown anchor 'nowhere' referenced"},
		{
			someSteps + someImage + "substitutions:\n  _DB_PASSWORD: *hunter2-Hunter2\n",
			"cloudbuild.yaml:6: does not parse: yaml: unknown anchor referenced",
		},
		{
			someSteps + someImage + "tags: [\xff]\n",
			"cloudbuild.yaml:5: does not parse: it contains a byte that is not UTF-8 text; save the file as UTF-8",
		},
	}
	for _, test := range tests {
		_, err := cloudbuild.Parse("cloudbuild.yaml", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s\nerror %v, want %s", test.text, err, test.says)
			continue
		}
		for _, hidden := range []string{secret, "PASTE-THE-CIPHERTEXT-HERE", "4711471147"} {
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("%s is in %v", hidden, err)
			}
		}
	}
}

func TestTheAdviceOnAServiceAccountCanBeFollowed(t *testing.T) {
	text := readFault(t, "12-trigger-service-account/cloudbuild.yaml")
	for _, text := range []string{text, strings.Replace(text, "serviceAccount", "service_account", 1)} {
		f, err := cloudbuild.Parse("cloudbuild.yaml", []byte(text))
		if err != nil || f.Build.GetServiceAccount() != "" {
			t.Fatalf("account %q, error %v", f.Build.GetServiceAccount(), err)
		}
		server := cloudbuildtest.New(t, cloudbuildtest.Config{})
		trigger := keep(t, server, connect(t, server), onPush(manual))
		for _, policy := range []cloudbuild.ClusterSteps{"", cloudbuild.Skip, cloudbuild.Fail, cloudbuild.Allow} {
			_, err := f.Apply(policy)
			if err == nil || !strings.Contains(err.Error(),
				"cloudbuild.yaml:5: serviceAccount: a repository's file may not choose the account its build runs as; remove the field and set "+
					"spec.build.serviceAccount of the BlueGreen") {
				t.Errorf("%s: error %v", policy, err)
			}
			err = trigger.Apply(f, policy)
			if err == nil || !strings.Contains(err.Error(), "cloudbuild.yaml:5: serviceAccount: ") ||
				!strings.Contains(err.Error(), "remove the field and set the service account of the trigger deploy-main") ||
				strings.Contains(err.Error(), "spec.build.serviceAccount") {
				t.Errorf("trigger, %s: error %v", policy, err)
			}
		}
	}
}

func TestWhatOnlyRemovedStepsUsedGoesWithThem(t *testing.T) {
	const (
		build = "- name: docker\n  args: [build, .]\n"
		apply = "- name: gcr.io/cloud-builders/kubectl\n  args: [apply, -f, x]\n"
	)
	used := func(step, secrets, volumes string) string {
		return step + "  secretEnv: [" + secrets + "]\n" + strings.ReplaceAll("  volumes: ["+volumes+"]\n", "V", "{name: v, path: /v}")
	}
	managed := func(names ...string) string {
		out := "availableSecrets:\n  secretManager:\n"
		for _, name := range names {
			out += "  - {versionName: projects/p/secrets/s/versions/1, env: " + name + "}\n"
		}
		return out
	}
	tests := map[string]struct {
		text             string
		secrets, volumes string // what remains
		says             string
	}{
		"fault 04": {
			readFault(t, "04-skip-leaves-invalid-build/cloudbuild.yaml"), "", "",
			"cloudbuild.yaml:6: steps[1] no longer has the volume out",
		},
		"shared secret stays": {"steps:\n" + used(build, "A", "") + used(apply, "A, B", "") + someImage + managed("A", "B"), "A", "", ""},
		"secret of all steps": {
			"steps:\n" + build + used(apply, "B", "") + someImage + managed("A", "B") + "options: {secretEnv: [A]}\n",
			"A", "", "",
		},
		"inline secrets": {"steps:\n" + used(build, "A", "") + used(apply, "B", "") + someImage +
			"availableSecrets: {inline: [{kmsKeyName: k, envMap: {A: AAAA, B: AAAA}}]}\n", "A", "", ""},
		"inline secret, the last": {"steps:\n" + build + used(apply, "B", "") + someImage +
			"availableSecrets: {inline: [{kmsKeyName: k, envMap: {B: AAAA}}]}\n", "", "", ""},
		"old secrets": {"steps:\n" + used(build, "A", "") + used(apply, "B", "") + someImage +
			"secrets: [{kmsKeyName: k, secretEnv: {A: AAAA}}, {kmsKeyName: l, secretEnv: {B: AAAA}}]\n", "A", "", ""},
		"volume of removed ones": {"steps:\n" + build + used(apply, "", "V") + used(apply, "", "V") + someImage, "", "", ""},
		"volume of three":        {"steps:\n" + used(build, "", "V") + used(build, "", "V") + used(apply, "", "V") + someImage, "", "v v", ""},
		"volumes of all, one left": {
			"steps:\n" + build + apply + someImage + "options: {volumes: [V]}\n", "", "",
			"options.volumes was left out",
		},
		"volumes of all, two left": {"steps:\n" + build + build + apply + someImage + "options: {volumes: [{name: w, path: /w}]}\n", "", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(test.text, "[V]", "[{name: v, path: /v}]")
			f := parse(t, text)
			server := cloudbuildtest.New(t, cloudbuildtest.Config{})
			start(t, connect(t, server), request(), f)
			var secrets, volumes []string
			for _, s := range f.Build.GetAvailableSecrets().GetSecretManager() {
				secrets = append(secrets, s.GetEnv())
			}
			for _, s := range f.Build.GetAvailableSecrets().GetInline() {
				secrets = append(secrets, slices.Sorted(maps.Keys(s.GetEnvMap()))...)
			}
			for _, s := range f.Build.GetSecrets() {
				secrets = append(secrets, slices.Sorted(maps.Keys(s.GetSecretEnv()))...)
			}
			for _, step := range f.Build.GetSteps() {
				for _, v := range step.GetVolumes() {
					volumes = append(volumes, v.GetName())
				}
			}
			if strings.Join(secrets, " ") != test.secrets || strings.Join(volumes, " ") != test.volumes {
				t.Errorf("secrets %v, volumes %v, want %q, %q", secrets, volumes, test.secrets, test.volumes)
			}
			said := ""
			for _, w := range f.Warnings {
				said += w.String() + "\n"
			}
			if !strings.Contains(said, test.says) {
				t.Errorf("said %s, want %s", said, test.says)
			}
		})
	}
}
