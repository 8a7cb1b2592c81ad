package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxStatusDescription is the longest description of a deployment's status, in characters.
// GitHub's description has this limit only for its answers.
const maxStatusDescription = 140

// Deployment is a deployment as GitHub records it.
type Deployment struct {
	ID          int64
	SHA         string
	Ref         string // as requested
	Task        string
	Environment string
	Description string
	Payload     json.RawMessage // an object or a string
	Transient   bool
	Production  bool
	Creator     *User
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Statuses    []DeploymentStatus // oldest first

	app *App
}

// DeploymentStatus is one state of a deployment.
type DeploymentStatus struct {
	ID             int64
	State          string // error, failure, inactive, in_progress, queued, pending or success
	Description    string
	LogURL         string
	EnvironmentURL string
	Environment    string
	Creator        *User
	CreatedAt      time.Time

	app *App
}

// State is the deployment's newest state, "" before the first.
func (d Deployment) State() string {
	if len(d.Statuses) == 0 {
		return ""
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// Deployments returns the repository's deployments, oldest first.
func (r *Repository) Deployments() []Deployment {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	var list []Deployment
	for _, d := range r.deployments {
		copied := *d
		copied.Statuses = slices.Clone(d.Statuses)
		list = append(list, copied)
	}
	return list
}

// DeploymentStatuses returns the statuses of a deployment, oldest first; nil if there is no such deployment.
func (r *Repository) DeploymentStatuses(id int64) []DeploymentStatus {
	for _, d := range r.Deployments() {
		if d.ID == id {
			return d.Statuses
		}
	}
	return nil
}

// newDeployment is the body of a request to create one.
type newDeployment struct {
	Ref                   string          `json:"ref"`
	Task                  string          `json:"task"`
	AutoMerge             *bool           `json:"auto_merge"`
	RequiredContexts      *[]string       `json:"required_contexts"`
	Payload               json.RawMessage `json:"payload"`
	Environment           string          `json:"environment"`
	Description           *string         `json:"description"`
	TransientEnvironment  bool            `json:"transient_environment"`
	ProductionEnvironment *bool           `json:"production_environment"`
}

func createDeployment(c *call) (reply, error) {
	sent := newDeployment{Task: "deploy", Environment: "production", Payload: json.RawMessage("{}")}
	if err := c.decode(&sent); err != nil {
		return reply{}, err
	}
	sha, ok := c.repo.git.resolve(sent.Ref)
	if !ok {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No ref found for: "+sent.Ref)
	}
	if sent.AutoMerge == nil || *sent.AutoMerge {
		if done, err := c.autoMerge(sent.Ref, sha); done != nil || err != nil {
			return reply{status: http.StatusAccepted, body: done}, err
		}
	}
	if sent.RequiredContexts != nil && len(*sent.RequiredContexts) > 0 {
		// Nothing here ever reports a commit status, so whatever is required is missing.
		return reply{}, refuse(http.StatusConflict, "Conflict: Commit status checks failed for "+sent.Ref+".")
	}
	d := c.addDeployment(sent, sha)
	return reply{status: http.StatusCreated, body: c.deploymentJSON(d)}, nil
}

func (c *call) addDeployment(sent newDeployment, sha string) *Deployment {
	d := &Deployment{
		ID: c.nextID(), SHA: sha, Ref: sent.Ref, Task: sent.Task, Environment: sent.Environment,
		Payload: sent.Payload, Transient: sent.TransientEnvironment, Production: sent.Environment == "production",
		Creator: c.app.bot, CreatedAt: now(), UpdatedAt: now(), app: c.app,
	}
	if sent.Description != nil {
		d.Description = *sent.Description
	}
	if sent.ProductionEnvironment != nil {
		d.Production = *sent.ProductionEnvironment
	}
	c.repo.deployments = append(c.repo.deployments, d)
	return d
}

// autoMerge does what auto_merge, which is on by default, asks for: it merges commits of
// the default branch that the branch lacks. Then there is no deployment, but a message.
func (c *call) autoMerge(ref, sha string) (map[string]any, error) {
	head, isBranch := c.repo.git.resolve("refs/heads/" + ref)
	base, _ := c.repo.git.resolve("refs/heads/" + c.repo.defaultBranch)
	if !isBranch || head != sha || ref == c.repo.defaultBranch || c.repo.git.isAncestor(base, head) {
		return nil, nil
	}
	message := fmt.Sprintf("Merge branch '%s' into %s", c.repo.defaultBranch, ref)
	merge, err := c.repo.git.merge(head, base, newCommit{parents: []string{head, base}, message: message, author: c.app.bot.sign()})
	if err != nil {
		return nil, refuse(http.StatusConflict, fmt.Sprintf("Conflict merging %s into %s.", c.repo.defaultBranch, ref))
	}
	if err := c.repo.moveBranch(move{branch: ref, before: head, after: merge, by: c.app.bot}); err != nil {
		return nil, err
	}
	return map[string]any{"message": fmt.Sprintf("Auto-merged %s into %s on deployment.", c.repo.defaultBranch, ref)}, nil
}

func listDeployments(c *call) (reply, error) {
	var found []*Deployment
	for _, d := range slices.Backward(c.repo.deployments) {
		if matches(c.query("sha"), d.SHA) && matches(c.query("ref"), d.Ref) &&
			matches(c.query("task"), d.Task) && matches(c.query("environment"), d.Environment) {
			found = append(found, d)
		}
	}
	return listReply(c, found, func(d *Deployment) any { return c.deploymentJSON(d) })
}

// matches reports whether a value passes a filter; "none" and "" pass everything (the API's default is "none").
func matches(filter, value string) bool { return filter == "" || filter == "none" || filter == value }

// pathDeployment finds the deployment in the path.
func (c *call) pathDeployment() (*Deployment, error) {
	for _, d := range c.repo.deployments {
		if d.ID == c.number("deployment_id") {
			return d, nil
		}
	}
	return nil, errNotFound
}

func getDeployment(c *call) (reply, error) {
	d, err := c.pathDeployment()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.deploymentJSON(d)}, nil
}

func listDeploymentStatuses(c *call) (reply, error) {
	d, err := c.pathDeployment()
	if err != nil {
		return reply{}, err
	}
	newestFirst := slices.Clone(d.Statuses)
	slices.Reverse(newestFirst)
	return listReply(c, newestFirst, func(status DeploymentStatus) any { return c.statusJSON(d, status) })
}

// newStatus is the body of a request to create a status.
type newStatus struct {
	State          string `json:"state"`
	TargetURL      string `json:"target_url"`
	LogURL         string `json:"log_url"`
	EnvironmentURL string `json:"environment_url"`
	Environment    string `json:"environment"`
	Description    string `json:"description"`
	AutoInactive   *bool  `json:"auto_inactive"`
}

func createDeploymentStatus(c *call) (reply, error) {
	d, err := c.pathDeployment()
	if err != nil {
		return reply{}, err
	}
	sent := newStatus{Environment: d.Environment}
	if err := c.decode(&sent); err != nil {
		return reply{}, err
	}
	if err := sent.check(); err != nil {
		return reply{}, err
	}
	status := DeploymentStatus{
		ID: c.nextID(), State: sent.State, Description: sent.Description, LogURL: sent.LogURL,
		EnvironmentURL: sent.EnvironmentURL, Environment: sent.Environment, Creator: c.app.bot, CreatedAt: now(), app: c.app,
	}
	d.Statuses, d.UpdatedAt, d.Environment = append(d.Statuses, status), now(), sent.Environment
	if sent.State == "success" && (sent.AutoInactive == nil || *sent.AutoInactive) {
		c.inactivateBefore(d)
	}
	return reply{status: http.StatusCreated, body: c.statusJSON(d, status)}, nil
}

// check enforces what GitHub's description of the request lacks.
func (n *newStatus) check() error {
	if n.LogURL == "" {
		n.LogURL = n.TargetURL // the older name of the same
	}
	if utf8.RuneCountInString(n.Description) > maxStatusDescription {
		return invalid("DeploymentStatus", "description", fmt.Sprintf("description is too long (maximum is %d characters)", maxStatusDescription))
	}
	for field, value := range map[string]string{"log_url": n.LogURL, "environment_url": n.EnvironmentURL} {
		if value != "" && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") {
			return invalid("DeploymentStatus", field, field+" must use http(s) scheme")
		}
	}
	return nil
}

// inactivateBefore implements auto_inactive: earlier successful deployments of the same
// environment become inactive, unless they are transient or in production (GitHub REST
// docs, "Create a deployment status").
func (c *call) inactivateBefore(newer *Deployment) {
	for _, d := range c.repo.deployments {
		if d == newer || d.ID > newer.ID || d.Environment != newer.Environment || d.Transient || d.Production || d.State() != "success" {
			continue
		}
		d.Statuses = append(d.Statuses, DeploymentStatus{
			ID: c.nextID(), State: "inactive", Environment: d.Environment, Creator: c.app.bot, CreatedAt: now(), app: c.app,
		})
		d.UpdatedAt = now()
	}
}
