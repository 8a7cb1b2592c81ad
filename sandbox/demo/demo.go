// Package demo is Turnout's main job as a story that checks itself. An application is adopted,
// released, promoted and rolled back. A person who requests more than was granted is refused. Two
// bad versions never reach its users. A user requests the public address throughout.
//
// Nothing in it knows more than people do: it merges, comments, and looks at GitHub, at the
// cluster and at the public address.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	namespace   = "shop"
	application = "my-python-app"
	repository  = "acme/my-python-app"
	// patience bounds every wait of the story.
	patience = 2 * time.Minute
)

// Speed is the speed of the demo's load balancer, as a multiple of Google's: the last front end
// follows a switch after 3 s instead of 60.
const Speed = 20

// Options select where the story happens.
type Options struct {
	// Project is the project's folder.
	Project string
	// World is a running sandbox whose registry has the example's first image.
	World *world.World
	// Turnout runs in it.
	Turnout *turnout.Turnout
	// Out gets the transcript.
	Out io.Writer
}

// Seeds are the example's image that exists before the first merge.
func Seeds(project string) []world.Seed {
	return []world.Seed{{Ref: "gcr.io/acme-prod/my-python-app:first", Context: filepath.Join(project, "examples", "python-app")}}
}

// story is the demo in progress.
type story struct {
	Options
	kube    client.WithWatch
	repo    *githubtest.Repository
	writer  *githubtest.User
	reader  *githubtest.User
	load    *load
	started time.Time

	merged  []*githubtest.PullRequest
	printed map[string]int // steps of a release that were printed

	passed, failed int
}

// errFailed: a check of the story failed.
var errFailed = errors.New("the demo failed")

func begin(o Options) (*story, error) {
	kube, err := turnout.Admin(o.World)
	if err != nil {
		return nil, err
	}
	return &story{
		Options: o, kube: kube, started: time.Now(), printed: map[string]int{},
		load: &load{url: o.World.WebURL, started: time.Now(), versions: map[string]int{}},
	}, nil
}

// Run plays the story. It returns an error unless every check passed.
func Run(ctx context.Context, o Options) error {
	s, err := begin(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.tell(ctx); err != nil {
		s.failed++
		s.say("stopped: %v", err)
	}
	s.line("")
	s.line("%d passed, %d failed", s.passed, s.failed)
	if s.failed > 0 {
		return errFailed
	}
	return nil
}

// tell is the story's table of contents.
func (s *story) tell(ctx context.Context) error {
	asking, stopAsking := context.WithCancel(ctx)
	done := make(chan struct{})
	defer stopAsking()
	for _, chapter := range []func(context.Context) error{
		s.adopt,
		func(context.Context) error {
			go func() { defer close(done); s.load.run(asking) }()
			return nil
		},
		s.mergeAutomatic,
		s.cancel,
		s.lock,
		s.mergeManual,
		s.border,
		s.rollBack,
		s.crash,
		s.unhealthy,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	stopAsking()
	<-done
	return s.count(ctx)
}

// adopt creates the application as its owner would, and adopts it.
func (s *story) adopt(ctx context.Context) error {
	s.chapter("Adopt: an application that runs, two colours behind one Ingress")
	if err := s.people(); err != nil {
		return err
	}
	if err := s.kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("creating the namespace: %w", err)
	}
	manifests, err := filepath.Glob(filepath.Join(s.Project, "examples", "python-app", "k8s", "*.yaml"))
	if err != nil {
		return fmt.Errorf("looking for the example's manifests: %w", err)
	}
	for _, path := range manifests {
		if err := s.apply(ctx, path); err != nil {
			return err
		}
	}
	if err := s.untilAdopted(ctx, "v1.0.0"); err != nil {
		return err
	}
	s.say("%s answers with v1.0.0, through Google's own controllers and a model of the load balancer behind them, %g times as fast",
		s.World.WebURL, s.World.Speed)
	bg, err := s.untilReady(ctx, v1alpha1.ReasonNotGranted)
	if err != nil {
		return err
	}
	s.check("without the administrator's grant nothing is fetched", true,
		v1alpha1.Advise(bg.Status.Conditions[0].Message, bg.Status.CommandsOf(v1alpha1.ConditionReady)...).Lines())
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q,%q:%q}}}`, v1alpha1.RepositoriesAnnotation, repository,
		v1alpha1.ProjectsAnnotation, "acme-prod")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := s.kube.Patch(ctx, ns, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("granting the repository and the project: %w", err)
	}
	if bg, err = s.untilReady(ctx, v1alpha1.ReasonReady); err != nil {
		return err
	}
	s.check("adopted as it is: blue is live with v1.0.0", bg.Status.Live != nil && bg.Status.Live.Color == v1alpha1.Blue,
		"live: "+bg.Status.Version)
	return nil
}

// untilAdopted waits until every front end of the load balancer answers with a
// version: a dozen new connections in a row do.
func (s *story) untilAdopted(ctx context.Context, version string) error {
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	inARow := 0
	return s.until(ctx, "the public address answers", func() (bool, string) {
		for ; inARow < 12; inARow++ {
			if got, err := ask(ctx, fresh, s.World.WebURL); got != version {
				inARow = 0
				return false, fmt.Sprint(got, err)
			}
		}
		return true, ""
	})
}

// people creates the repository and its members.
func (s *story) people() error {
	hub := s.World.GitHub
	s.writer, s.reader = hub.AddUser("alice"), hub.AddUser("rita")
	hub.AddOrganization("acme")
	files, err := githubtest.Directory(filepath.Join(s.Project, "examples", "python-app"))
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	s.repo, err = hub.AddRepository(repository, githubtest.RepositoryConfig{Files: files})
	if err != nil {
		return fmt.Errorf("creating the repository: %w", err)
	}
	if err := errors.Join(s.repo.SetRole(s.writer, "write"), s.repo.SetRole(s.reader, "read")); err != nil {
		return fmt.Errorf("giving people their roles: %w", err)
	}
	s.Turnout.App.InstallOn(s.repo, nil)
	return nil
}

// apply creates a manifest's objects. The BlueGreen gets times that suit a demo, and the public
// address.
func (s *story) apply(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a manifest: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, object); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	object.SetNamespace(namespace)
	if object.GetKind() == "BlueGreen" {
		for field, value := range map[string]any{
			"url": world.NameOf(s.World.WebURL), "soak": "3s", "drain": "3s", "proof.baseline": "2s", "proof.tail": "2s",
			"gate": map[string]any{
				"http":     []any{map[string]any{"path": "/healthz", "port": int64(8080), "bodyContains": `"status": "ok"`}},
				"interval": "500ms", "timeout": "6s",
			},
		} {
			if err := unstructured.SetNestedField(object.Object, value, strings.Split("spec."+field, ".")...); err != nil {
				return fmt.Errorf("setting spec.%s: %w", field, err)
			}
		}
	}
	if err := s.kube.Create(ctx, object); err != nil {
		return fmt.Errorf("creating what %s describes: %w", filepath.Base(path), err)
	}
	return nil
}

// count ends the story with the users' experience.
func (s *story) count(ctx context.Context) error {
	s.chapter("What users got, all the while")
	text, failures := s.load.summary()
	s.say("%s", text)
	all, back, unproved, err := s.switches(ctx)
	if err != nil {
		return err
	}
	s.check(fmt.Sprintf("no request failed at any of %d switches, %d of them back", all, back),
		back > 0 && len(failures) == 0, strings.Join(failures[:min(3, len(failures))], "; "))
	s.check("each of them measured that by itself", len(unproved) == 0, strings.Join(unproved, "; "))
	for _, v := range []string{"v1.2.1", "v1.2.2", "v1.4.0", "v1.5.0"} {
		s.check("nobody ever saw "+v, s.load.seen(v) == 0, fmt.Sprint(s.load.seen(v), " answers"))
	}
	violations := s.World.GitHub.Violations()
	s.check("every request to GitHub fits GitHub's own description", len(violations) == 0, fmt.Sprint(violations))
	return nil
}

// switches counts how often users were moved, and how often back. It names the releases without a
// proof that no request failed.
func (s *story) switches(ctx context.Context) (all, back int, unproved []string, err error) {
	releases, err := s.releases(ctx)
	for i := range releases {
		rel := &releases[i]
		if rel.Status.Milestones.SwitchedAt == nil {
			continue
		}
		all++
		if rel.Spec.Rollback != nil {
			back++
		}
		if p := rel.Status.Proof; p == nil || p.Result != v1alpha1.ProofConfirmed || p.Requests == 0 || p.Failed > 0 {
			unproved = append(unproved, fmt.Sprintf("%s: %+v", rel.Name, p))
		}
	}
	return all, back, unproved, err
}

func (s *story) application(ctx context.Context) (*v1alpha1.BlueGreen, error) {
	bg := &v1alpha1.BlueGreen{}
	if err := s.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: application}, bg); err != nil {
		return nil, fmt.Errorf("reading the BlueGreen: %w", err)
	}
	return bg, nil
}

// untilReady waits until the application's condition has a reason.
func (s *story) untilReady(ctx context.Context, reason string) (bg *v1alpha1.BlueGreen, err error) {
	err = s.until(ctx, "condition "+reason, func() (bool, string) {
		if bg, err = s.application(ctx); err != nil || len(bg.Status.Conditions) == 0 {
			return false, fmt.Sprint(err)
		}
		c := bg.Status.Conditions[0]
		return c.Reason == reason, c.Reason + ": " + c.Message
	})
	return bg, err
}

// until waits for a condition. If it does not come, the error shows the last state.
func (s *story) until(ctx context.Context, what string, holds func() (bool, string)) error {
	var last string
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		ok, seen := holds()
		last = seen
		return ok, nil
	})
	if err != nil {
		return fmt.Errorf("waited %s for: %s; last seen: %s", patience, what, last)
	}
	return nil
}

// check asserts something and prints the result.
func (s *story) check(what string, ok bool, detail string) {
	mark := "ok  "
	if ok {
		s.passed++
	} else {
		mark = "FAIL"
		s.failed++
	}
	s.line("%8s  %s %s", "", mark, what)
	if detail != "" {
		for line := range strings.Lines(detail) {
			s.line("%8s       %s", "", strings.TrimRight(line, "\n"))
		}
	}
}

func (s *story) chapter(title string) { s.line("\n%s", title) }

// say prints what happens, with the time since the story began.
func (s *story) say(format string, args ...any) {
	s.line("%7.1fs  %s", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

func (s *story) line(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }
