package deployer

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

const (
	mailRepository   = "gcr.io/acme-prod/mail"
	reportRepository = "gcr.io/acme-prod/report"
	mailBefore       = mailRepository + ":v1"
	reportBefore     = reportRepository + ":v1"
)

// buildsOf is a build file that makes images of these names.
func buildsOf(names ...string) string {
	var images []string
	for _, name := range names {
		images = append(images, "'gcr.io/$PROJECT_ID/"+name+":$COMMIT_SHA'")
	}
	return "steps: [{name: make}]\nimages: [" + strings.Join(images, ", ") + "]\n"
}

// withOtherImages gives a worker and a singleton one image of the build, and a CronJob another.
func withOtherImages(bg *v1alpha1.BlueGreen) {
	bg.Spec.Workers = []v1alpha1.WorkerSpec{{Name: "mail", Image: mailRepository}}
	bg.Spec.Singletons = []v1alpha1.SingletonSpec{{Deployment: "beat", Image: mailRepository}}
	bg.Spec.CronJobs = []v1alpha1.CronJobSpec{{Name: "report", Image: reportRepository}}
}

// newWorldOfImages has a worker, a singleton and a CronJob that do not run the application's image.
func newWorldOfImages(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := newWorld(t, slices.Concat([]func(*v1alpha1.BlueGreen){withOtherImages}, change)...)
	for _, d := range []*appsv1.Deployment{w.worker(v1alpha1.Blue, workersSize), w.worker(v1alpha1.Green, 0), w.singleton()} {
		d.Spec.Template.Spec.Containers[0].Image = mailBefore
		w.create(d)
	}
	j := w.cronJob()
	j.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image = reportBefore
	w.create(j)
	for _, letter := range []string{"a", "b"} {
		w.source.commit(letter, map[string]string{"b": "a"}[letter])
		w.source.write(letter, buildsOf("my-python-app", "mail", "report", "unused"))
	}
	return w
}

// awaitPodsBeside waits for those of the worker and the singleton: only then is their digest known.
func (w *world) awaitPodsBeside() {
	w.t.Helper()
	for _, d := range []*appsv1.Deployment{w.worker(v1alpha1.Blue, 0), w.singleton()} {
		w.until("the pods of "+d.Name, func() bool {
			w.get(d)
			return d.Status.AvailableReplicas == *d.Spec.Replicas && d.Status.AvailableReplicas > 0
		}, func() string { return d.Name })
	}
}

// imagesBeside are the images of the worker's two sides, of the singleton and of the CronJob.
func (w *world) imagesBeside() (blue, green, beat, report string) {
	w.t.Helper()
	image := func(d *appsv1.Deployment) string {
		w.get(d)
		return d.Spec.Template.Spec.Containers[0].Image
	}
	j := &batchv1.CronJob{ObjectMeta: w.meta("report")}
	w.get(j)
	return image(w.worker(v1alpha1.Blue, 0)), image(w.worker(v1alpha1.Green, 0)), image(w.singleton()),
		j.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image
}

// built is a release's image of a repository.
func built(t testing.TB, rel *v1alpha1.Release, repository string) string {
	t.Helper()
	m := rel.Status.Milestones.Built
	for _, image := range append([]string{m.Image}, m.Images...) {
		if strings.HasPrefix(image, repository+"@sha256:") {
			return image
		}
	}
	t.Errorf("the release built %s and %v, and no %s", m.Image, m.Images, repository)
	return ""
}

// Each gets its own image of the build, and after a rollback what it ran before.
func TestOtherImagesOfTheBuildReachWhatNamesThem(t *testing.T) {
	t.Parallel()
	w := newWorldOfImages(t)
	w.awaitPodsBeside()
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	mail, report := built(t, rel, mailRepository), built(t, rel, reportRepository)
	if built(t, rel, "gcr.io/acme-prod/unused") == "" || mail == report || len(rel.Status.Build.Images) != 2 {
		t.Errorf("the build has %v", rel.Status.Build.Images)
	}
	if blue, green, beat, j := w.imagesBeside(); blue != mailBefore || green != mail || beat != mail || j != report {
		t.Errorf("after the deploy they have %s, %s, %s and %s", blue, green, beat, j)
	}
	w.expectSizes(1, 1)
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	if blue, green, beat, j := w.imagesBeside(); blue != mailBefore || green != mail || beat != imageID(mailBefore) || j != reportBefore {
		t.Errorf("after the rollback they have %s, %s, %s and %s", blue, green, beat, j)
	}
	w.expectWorkers(workersSize, 0, true)
	if served := w.imageOf(v1alpha1.Blue); !strings.HasPrefix(served, "gcr.io/acme-prod/my-python-app@") {
		t.Errorf("users are served by %s", served)
	}
	if said := strings.Join(findingTexts(back), "\n"); strings.Contains(said, "another version") || strings.Contains(said, "brought back") {
		t.Errorf("the findings are %s", said)
	}
}

// Another release was staged over the worker to go back to.
func TestRollbackBringsBackTheImageOfAWorkerThatWasStagedOver(t *testing.T) {
	t.Parallel()
	w := newWorldOfImages(t)
	w.awaitPodsBeside()
	w.run()
	w.stageOver()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	blue, _, beat, j := w.imagesBeside()
	if before := imageID(mailBefore); blue != before || beat != before || j != reportBefore {
		t.Errorf("after the rollback they have %s, %s and %s", blue, beat, j)
	}
	w.expectWorkers(workersSize, 0, true)
}

// A version that fails in its soak: what the others ran comes back.
func TestRestoreBringsBackOtherImages(t *testing.T) {
	t.Parallel()
	w := newWorldOfImages(t, soaks(time.Hour))
	w.awaitPodsBeside()
	w.run()
	rel := w.await(w.submit("a"), "soak", soaking)
	w.countRestarts(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.settled()
	if blue, _, beat, j := w.imagesBeside(); blue != mailBefore || beat != imageID(mailBefore) || j != reportBefore {
		t.Errorf("after the restore they have %s, %s and %s", blue, beat, j)
	}
}

// An image that the build would not make fails the release before the build.
func TestImageThatNoBuildMakesFailsBeforeIt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"listed": {
			buildsOf("my-python-app", "report"),
			[]string{
				"cloudbuild.yaml:2: images: the images are gcr.io/acme-prod/my-python-app, gcr.io/acme-prod/report",
				"spec.workers[mail].image gcr.io/acme-prod/mail is not among them", "set spec.workers[mail].image of the BlueGreen to one of them",
			},
		},
		"pushed": {
			"steps: [{name: gcr.io/kaniko-project/executor, args: ['--destination=gcr.io/acme-prod/my-python-app:$COMMIT_SHA']}]\n",
			[]string{
				"lists no image, and no visible step pushes spec.workers[mail].image gcr.io/acme-prod/mail",
				"list gcr.io/acme-prod/mail:$COMMIT_SHA there, or correct spec.workers[mail].image of the BlueGreen",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfImages(t)
			w.source.write("a", tt.file)
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
			w.expectMessage(rel, tt.want...)
			if f := rel.Status.Failure; f.Reason != v1alpha1.FailedBuildConfig || len(w.made()) > 0 {
				t.Errorf("the failure is %+v after %d builds", f, len(w.made()))
			}
		})
	}
}

// A build that lists an image and reports no digest of it.
func TestImageWithoutADigestIsNamedByItsField(t *testing.T) {
	t.Parallel()
	w := newWorldOfImages(t)
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		r, err := cloudbuildtest.Digests(ctx, b)
		r.Images = slices.DeleteFunc(r.Images, func(i cloudbuildtest.Image) bool { return strings.HasPrefix(i.Name, reportRepository) })
		return r, err
	}
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "the build succeeded but reports no digest for "+reportRepository,
		"correct spec.cronJobs[report].image of the BlueGreen")
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedNoDigest {
		t.Errorf("the failure is %+v", f)
	}
}

// Images that steps push themselves are found in their registry.
func TestOtherImagesThatStepsPushAreFoundInTheirRegistry(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	w := newWorld(t, withWorker, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Workers[0].Image = v1alpha1.ImageRepository(s.host + "/mail")
	})
	w.create(w.worker(v1alpha1.Blue, workersSize))
	w.source.write("a", s.file("my-python-app:$COMMIT_SHA", "mail:latest", "mail:$COMMIT_SHA"))
	w.build = cloudbuildtest.Pushes(s.host)
	s.push(t, "mail:other")
	w.run(asTest)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	mail := built(t, rel, s.host+"/mail")
	if _, green := w.imageOf(v1alpha1.Green), w.worker(v1alpha1.Green, 0); true {
		w.get(green)
		if got := green.Spec.Template.Spec.Containers[0].Image; got != mail {
			t.Errorf("the worker has %s, want %s", got, mail)
		}
	}
	want, err := cloudbuildtest.Push(t.Context(), s.host+"/mail:again", w.made()[0].GetId()) // the same content
	check(t, err)
	if mail != s.host+"/mail@"+want {
		t.Errorf("built %s, want %s", mail, want)
	}
}

// The spec changed after the build. What that reported serves; anything else fails the release
// before a worker is stopped.
func TestImageThatIsNamedAfterTheBuild(t *testing.T) {
	t.Parallel()
	for image, phase := range map[string]v1alpha1.ReleasePhase{
		"gcr.io/acme-prod/unused": v1alpha1.ReleaseSucceeded, "gcr.io/acme-prod/nowhere": v1alpha1.ReleaseFailed,
	} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			w := newWorldOfImages(t, manual)
			w.run()
			rel := w.submit("a")
			w.await(rel, "the wait for a person", waits)
			w.configure(`{"workers":[{"name":"mail","image":"` + image + `"}]}`)
			w.approve(rel)
			rel = w.awaitPhase(rel, phase)
			w.settled()
			_, green, _, _ := w.imagesBeside()
			if phase == v1alpha1.ReleaseSucceeded {
				if green != built(t, rel, image) {
					t.Errorf("the worker has %s", green)
				}
				return
			}
			w.expectMessage(rel, "spec.workers[mail].image is "+image+" since this release was built",
				"its build made gcr.io/acme-prod/my-python-app@", "correct the field")
			w.expectWorkers(workersSize, 0, false)
			w.expectLive(v1alpha1.Blue)
		})
	}
}

// A contract waits for older pods of every image that the version has.
func TestContractWaitsForOlderPodsOfOtherImages(t *testing.T) {
	t.Parallel()
	w := newWorldOfImages(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.confirmable()
	old := &corev1.Pod{ObjectMeta: w.meta("older"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: mailBefore}}}}
	w.create(old)
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	rel := w.ofContract("a")
	w.await(rel, "it waits for the pod", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForOldPods && r.Status.Waiting.Object == "pod older"
	})
	check(t, w.kube.Delete(t.Context(), old))
	w.poke()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// The schema takes a repository, and nothing else.
func TestImagesThatAreNoRepositoryAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	patch := func(spec string) error {
		return w.kube.Patch(t.Context(), w.application(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`)))
	}
	for _, image := range []string{
		"gcr.io/acme/mail:v1", "gcr.io/acme/mail@sha256:0", "mail", "gcr.io/acme/Mail", "gcr.io/$PROJECT_ID/mail", "https://gcr.io/a/b",
		"gcr.io/a/",
	} {
		for _, spec := range []string{
			`{"workers":[{"name":"mail","image":"` + image + `"}]}`, `{"singletons":[{"deployment":"beat","image":"` + image + `"}]}`,
			`{"cronJobs":[{"name":"report","image":"` + image + `"}]}`,
		} {
			if err := patch(spec); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "without tag and digest") {
				t.Errorf("%s is answered %v", spec, err)
			}
		}
	}
	for _, image := range []string{"gcr.io/acme-prod/mail", "localhost:5000/a/b__c", "europe-docker.pkg.dev/p/r.x/mail"} {
		check(t, patch(`{"workers":[{"name":"mail","image":"`+image+`"}]}`))
	}
}
