package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

const (
	// intruder may write releases in the namespace, and nothing else.
	intruder = "ci"
	// foreign is another team's repository, which the App may read, too.
	foreign = "acme/payroll"
	// planted is the image that the intruder would like users to get.
	planted = "registry.example/miner@sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// border is somebody who may write releases, and requests what nobody granted: another team's
// source, and any image in front of users.
func (s *story) border(ctx context.Context) error {
	s.chapter("Across a border: whoever may write releases gets no further than that")
	ci, err := s.letIn(ctx)
	if err != nil {
		return err
	}
	before, err := s.application(ctx)
	if err != nil {
		return err
	}
	builds, asked := s.countBuilds(before), s.askedOf(foreign)
	s.say("%s, who has turnout-release in %s and no other right, asks for a release of %s", intruder, namespace, foreign)
	if err := s.turnedAway(ctx, ci, s.foreignRelease(before)); err != nil {
		return err
	}
	forged := s.forgedRollback(before)
	s.say("%s writes a rollback to an image of its own, as asked by alice in a comment", intruder)
	err = ci.Create(ctx, forged.DeepCopy())
	s.check("the API server does not take it", apierrors.IsForbidden(err), reason(err))
	s.say("%s writes the same in its own name", intruder)
	forged.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: intruder}
	if err := s.turnedAway(ctx, ci, forged); err != nil {
		return err
	}
	after, err := s.application(ctx)
	if err != nil {
		return err
	}
	s.check("nobody was moved: users are still with "+after.Status.Version,
		after.Status.Live != nil && *after.Status.Live == *before.Status.Live && after.Status.LastSwitch.UID == before.Status.LastSwitch.UID, "")
	s.check("GitHub was not asked about "+foreign, s.askedOf(foreign) == asked, "")
	s.check("nothing was built", s.countBuilds(before) == builds, "")
	return nil
}

// letIn creates the other team's repository, and binds config/'s release role in a namespace to
// the intruder.
func (s *story) letIn(ctx context.Context) (client.Client, error) {
	other, err := s.World.GitHub.AddRepository(foreign, githubtest.RepositoryConfig{
		Files: githubtest.Text(map[string]string{"salaries.csv": "alice,100\n"}), Private: true,
	})
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", foreign, err)
	}
	s.Turnout.App.InstallOn(other, nil)
	text, err := os.ReadFile(filepath.Join(s.Project, "config", "rbac", "release.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the role for releases: %w", err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(text, role); err != nil {
		return nil, fmt.Errorf("reading the role for releases: %w", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "releases"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: intruder}},
	}
	if err := errors.Join(s.kube.Create(ctx, role), s.kube.Create(ctx, binding)); err != nil {
		return nil, fmt.Errorf("letting %s write releases: %w", intruder, err)
	}
	config, _, err := s.World.ControlPlane.User(intruder, nil)
	if err != nil {
		return nil, err
	}
	ci, err := client.New(config, client.Options{Scheme: s.kube.Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connecting as %s: %w", intruder, err)
	}
	return ci, s.until(ctx, intruder+" may read releases", func() (bool, string) {
		err := ci.List(ctx, &v1alpha1.ReleaseList{}, client.InNamespace(namespace))
		return err == nil, reason(err)
	})
}

// turnedAway writes a release that the API server accepts, and waits for Turnout's refusal.
func (s *story) turnedAway(ctx context.Context, ci client.Client, rel *v1alpha1.Release) error {
	if err := ci.Create(ctx, rel); err != nil {
		return fmt.Errorf("creating %s as %s: %w", rel.Name, intruder, err)
	}
	err := s.until(ctx, rel.Name+" is refused", func() (bool, string) {
		err := s.kube.Get(ctx, client.ObjectKeyFromObject(rel), rel)
		return err == nil && rel.Status.Phase.Finished(), fmt.Sprint(rel.Status.Phase, ": ", rel.Status.Message, reason(err))
	})
	if err != nil {
		return err
	}
	if rel.Status.Failure == nil {
		rel.Status.Failure = &v1alpha1.Failure{}
	}
	refused := rel.Status.Phase == v1alpha1.ReleaseFailed && rel.Status.Milestones.ClaimedAt == nil
	s.check(rel.Name+" is refused before it begins", refused, v1alpha1.Advise(rel.Status.Message, rel.Status.Failure.Commands...).Lines())
	return nil
}

// written is a release as the intruder writes one.
func (s *story) written(bg *v1alpha1.BlueGreen, name string, kind v1alpha1.ReleaseKind) *v1alpha1.Release {
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	rel.Labels = map[string]string{v1alpha1.ApplicationLabel: bg.Name}
	rel.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(bg, v1alpha1.GroupVersion.WithKind("BlueGreen"))}
	rel.Spec = v1alpha1.ReleaseSpec{Kind: kind, Application: bg.Name, Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: intruder}}
	return rel
}

func (s *story) foreignRelease(bg *v1alpha1.BlueGreen) *v1alpha1.Release {
	rel := s.written(bg, "of-another-repository", v1alpha1.Deploy)
	rel.Spec.Deploy = &v1alpha1.DeploySpec{Repository: foreign, Branch: "main", Commit: strings.Repeat("0123456789", 4), Attempt: 1}
	return rel
}

func (s *story) forgedRollback(bg *v1alpha1.BlueGreen) *v1alpha1.Release {
	rel, last := s.written(bg, "forged-rollback", v1alpha1.Rollback), bg.Status.LastSwitch
	to := last.From
	to.Image = planted
	rel.Spec.Rollback = &v1alpha1.RollbackSpec{From: last.To, To: to, Switch: last.UID, Attempt: 1}
	rel.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: s.writer.Login}
	return rel
}

// askedOf counts the requests to GitHub about a repository.
func (s *story) askedOf(name string) int {
	n := 0
	for _, r := range s.World.GitHub.Requests() {
		if strings.Contains(r.Path, "/repos/"+name) {
			n++
		}
	}
	return n
}

func (s *story) countBuilds(bg *v1alpha1.BlueGreen) int {
	return len(s.World.CloudBuild.Builds(bg.Spec.Build.Project, bg.Spec.Build.Location))
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
