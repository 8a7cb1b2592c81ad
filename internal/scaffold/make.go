package scaffold

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Make makes the plan. Without a namespace it is one for an application that does not run yet.
// The error names everything that only a person can say.
func Make(s *Source, n *Namespace, o Options) (*Plan, error) {
	r, err := choose(n, s, o)
	if err != nil {
		return nil, err
	}
	m := &maker{s: s, n: n, o: o, r: r, bg: object{}}
	if err := errors.Join(identify(m), locate(m)); err != nil {
		return nil, err
	}
	objects := writeAdopted
	if r == nil {
		objects = writeFresh
	}
	for _, write := range []func(*maker) error{writeProgram, objects, writeApplication, writeGrant} {
		if err := write(m); err != nil {
			return nil, err
		}
	}
	m.Name = m.o.Name
	return &m.Plan, nil
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// identify settles name, repository and branch.
func identify(m *maker) error {
	s, o := m.s, &m.o
	if o.Repository != "" && (strings.Count(o.Repository, "/") != 1 || !repositoryName.MatchString(o.Repository)) {
		return fmt.Errorf("--repository %q: write it as owner/name", o.Repository)
	}
	if o.Repository == "" {
		if s.Repository == "" {
			return errors.New("--repository: " + noRemote(s))
		}
		if s.Host == "gitlab.com" || s.Host == "bitbucket.org" {
			return fmt.Errorf("--repository: the remote is at %s, and Turnout follows repositories of GitHub: name one as owner/name", s.Host)
		}
		o.Repository = s.Repository
		if s.Host != "github.com" {
			m.lookAt("The remote is at %s. If that is a GitHub Enterprise Server, turnout serve needs --github-url https://%s.", s.Host, s.Host)
		}
	}
	if o.Branch == "" {
		o.Branch = s.Branch
	}
	if o.Branch == "" {
		o.Branch = "main"
		m.lookAt("No branch was found: releases follow main. --branch names another one.")
	}
	m.found("repository %s, branch %s", o.Repository, o.Branch)
	if o.Name == "" {
		_, o.Name, _ = strings.Cut(o.Repository, "/")
		if m.r != nil {
			o.Name = base(m.r.deployment.Name)
		}
		o.Name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(o.Name), "-"), "-")
	}
	if !appName.MatchString(o.Name) {
		return fmt.Errorf("--name: %q is no name for an application: take one of at most 40 lower-case letters, digits and -", o.Name)
	}
	return nil
}

var (
	appName        = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+$`)
)

func noRemote(s *Source) string {
	if len(s.Remotes) > 1 {
		return fmt.Sprintf("the repository has the remotes %s, and none is called origin: name the one whose merges are releases, as owner/name",
			strings.Join(s.Remotes, ", "))
	}
	return "this folder has no remote that names a repository: name the one whose merges are releases, as owner/name"
}

// locate settles project, image and namespace.
func locate(m *maker) error {
	o := &m.o
	from := "--project"
	if m.r != nil && o.Project == "" {
		if found := projectOfImage.FindStringSubmatch(m.r.container.Image); found != nil {
			o.Project, from = found[1], "the running image"
		}
	}
	if found := projectOfContext.FindStringSubmatch(o.Cluster); found != nil && o.Project == "" {
		o.Project, from = found[1], "the kubeconfig's context"
	}
	var unknown []error
	if !projectName.MatchString(o.Project) {
		unknown = append(unknown, fmt.Errorf("--project %q: name the Google Cloud project that builds", o.Project))
	}
	if o.Namespace == "" {
		unknown = append(unknown, errors.New("--namespace: name the namespace that the application is to run in"))
	}
	if err := errors.Join(unknown...); err != nil {
		return err
	}
	m.found("Google project %s, from %s", o.Project, from)
	m.gce = m.r == nil || m.r.gce()
	return nil
}
