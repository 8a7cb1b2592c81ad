package cloudbuild

import (
	"context"
	"errors"
	"maps"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Trigger reads a trigger by its name or id. If it does not exist, the error is a
// *TriggerError.
func (c *Client) Trigger(ctx context.Context, project, location, trigger string) (*Trigger, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	location = Request{Location: location}.location()
	where := parent(project, location)
	pb, err := c.api.GetBuildTrigger(ctx, &cloudbuildpb.GetBuildTriggerRequest{
		Name: where + "/triggers/" + trigger, ProjectId: project, TriggerId: trigger,
	})
	if err == nil {
		return triggerOf(pb, project, location), nil
	}
	failed := callError("read the trigger "+trigger+" in "+where, err)
	if failed.Code == codes.NotFound {
		return nil, &TriggerError{
			Trigger: trigger, Reason: "does not exist in " + where,
			Fix:      "set spec.build.trigger or spec.build.location of the BlueGreen to one of those that exist",
			Commands: v1alpha1.Commands(v1alpha1.Shell("gcloud", "builds", "triggers", "list", "--project="+project, "--region="+location)),
		}
	}
	return nil, failed
}

// Triggers lists the triggers of one location.
func (c *Client) Triggers(ctx context.Context, project, location string) ([]*Trigger, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	location = Request{Location: location}.location()
	list := c.api.ListBuildTriggers(ctx, &cloudbuildpb.ListBuildTriggersRequest{Parent: parent(project, location), ProjectId: project})
	var found []*Trigger
	for {
		pb, err := list.Next()
		if errors.Is(err, iterator.Done) {
			return found, nil
		}
		if err != nil {
			return nil, callError("list the triggers in "+parent(project, location), err)
		}
		found = append(found, triggerOf(pb, project, location))
	}
}

// Run starts the build of the request's Trigger with one call, never repeated here.
// The caller has the same duties as with Start.
func (c *Client) Run(ctx context.Context, r Request) (Handle, error) {
	if err := r.checkTriggered(); err != nil {
		return Handle{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	t := r.Trigger
	what := "run the trigger " + t.Name + " in " + parent(t.Project, t.Location)
	op, err := c.api.RunBuildTrigger(ctx, &cloudbuildpb.RunBuildTriggerRequest{
		Name: t.name(), ProjectId: t.Project, TriggerId: t.ID,
		Source: &cloudbuildpb.RepoSource{Revision: &cloudbuildpb.RepoSource_CommitSha{CommitSha: r.Commit}, Substitutions: r.runSubstitutions()},
	})
	if err != nil {
		failed := callError(what, err)
		failed.fix = runWayOut[failed.Code]
		return Handle{}, failed
	}
	meta, _ := op.Metadata() // without metadata there is no id, and handleOf reports that
	return handleOf(what, t.Project, t.Location, meta.GetBuild())
}

// runWayOut takes precedence over wayOut when a trigger is run.
var runWayOut = map[codes.Code]string{
	codes.FailedPrecondition: "check in Cloud Build that the trigger's repository is connected and has the commit",
	codes.InvalidArgument: "if the error is about " + ReleaseSubstitution +
		", add that substitution to the trigger, with any value: Turnout finds its builds by it",
}

// runSubstitutions are the substitutions of one run; they override the trigger's. A run of a
// commit has no branch of its own, and a file may use the branch's name.
func (r Request) runSubstitutions() map[string]string {
	all := maps.Clone(r.Substitutions)
	if all == nil {
		all = map[string]string{}
	}
	all["BRANCH_NAME"] = r.Branch
	all[ReleaseSubstitution] = r.key()
	return all
}
