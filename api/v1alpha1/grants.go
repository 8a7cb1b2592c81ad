package v1alpha1

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Annotations of a Namespace with which a cluster administrator grants it the use of
// Turnout's own rights: the App's on GitHub, and those of its Google identity. Each is a
// list, separated by commas. An entry may end in *, which stands for the rest of its last
// segment. At least one character must precede it in that segment.
const (
	// RepositoriesAnnotation grants repositories, as owner/name. Only a cluster
	// administrator can write it, so the owner of a namespace cannot fetch private source
	// with the bot's rights.
	RepositoriesAnnotation = "turnout.dev/repositories"

	// ProjectsAnnotation grants Google Cloud projects for builds: each with its default
	// build account, its default bucket, and those triggers that are known to build the
	// application's repository.
	ProjectsAnnotation = "turnout.dev/projects"

	// BuildAccountsAnnotation grants the accounts that spec.build.serviceAccount may name,
	// by address; *@PROJECT.iam.gserviceaccount.com grants all accounts of a project.
	BuildAccountsAnnotation = "turnout.dev/build-accounts"

	// BucketsAnnotation grants buckets of Cloud Storage for the source, beside the
	// projects' default ones.
	BucketsAnnotation = "turnout.dev/buckets"

	// TriggersAnnotation grants triggers whose repository Turnout cannot know, as
	// project/location/name. Their project must be granted, too.
	TriggersAnnotation = "turnout.dev/triggers"

	// MetricsAnnotation grants sources of metrics: addresses of a Prometheus, and Google
	// Cloud projects.
	MetricsAnnotation = "turnout.dev/metrics"

	// RepinAnnotation pins repositories again, by their number: owner/name=number. It is
	// for a repository that was recreated or replaced under its name.
	RepinAnnotation = "turnout.dev/repin"

	// ImpersonateAnnotation names a Google account that Turnout uses for the namespace
	// instead of its own.
	ImpersonateAnnotation = "turnout.dev/impersonate"
)

// Grant is something that must be granted to a namespace.
type Grant struct {
	// Annotation of the Namespace for this grant.
	Annotation string
	// Value is the entry that grants only this.
	Value string
	// Field that needs the grant.
	Field string
}

// String names the grant for people.
func (g Grant) String() string {
	kind := map[string]string{
		RepositoriesAnnotation: "", ProjectsAnnotation: "project ", BuildAccountsAnnotation: "build account ",
		BucketsAnnotation: "bucket ", TriggersAnnotation: "trigger ", MetricsAnnotation: "metrics of ",
	}[g.Annotation]
	return kind + g.Value
}

// Grants are a namespace's grants: the annotations of its Namespace.
type Grants map[string]string

// Needs are the grants that an application's spec needs. A trigger may need another one,
// see [TriggerGrant].
func (b *BlueGreen) Needs() []Grant {
	spec := b.Spec.Build
	needs := []Grant{{RepositoriesAnnotation, b.Spec.Repository, "spec.repository"}, ProjectGrant(spec.Project, "spec.build.project")}
	if m := b.MetricsGrant(); m != nil {
		needs = append(needs, *m)
	}
	if spec.Trigger != "" {
		return needs // a trigger has its own account and source
	}
	if !spec.Source.Git && b.SourceBucket() != spec.Project+"_cloudbuild" { // the project grants its default bucket
		needs = append(needs, Grant{BucketsAnnotation, b.SourceBucket(), "spec.build.source.bucket"})
	}
	if spec.ServiceAccount != "" {
		needs = append(needs, Grant{BuildAccountsAnnotation, spec.ServiceAccount, "spec.build.serviceAccount"})
	}
	return needs
}

// MetricsGrant is the grant for the application's metrics; nil if it has none.
func (b *BlueGreen) MetricsGrant() *Grant {
	switch a := b.Spec.Analysis; {
	case a == nil:
		return nil
	case a.Prometheus != nil:
		return &Grant{MetricsAnnotation, a.Prometheus.URL, "spec.analysis.prometheus.url"}
	case a.Google != nil:
		return &Grant{MetricsAnnotation, a.Google.Project, "spec.analysis.google.project"}
	}
	return nil
}

// ProjectGrant is the grant of the project in a field.
func ProjectGrant(project, field string) Grant { return Grant{ProjectsAnnotation, project, field} }

// TriggerGrant is the grant of a trigger, by its name or id.
func TriggerGrant(project, location, trigger string) Grant {
	return Grant{TriggersAnnotation, project + "/" + location + "/" + trigger, "spec.build.trigger"}
}

// Missing returns the needs that are not granted.
func (g Grants) Missing(needs ...Grant) []Grant {
	var missing []Grant
	for _, need := range needs {
		if !g.allow(need) {
			missing = append(missing, need)
		}
	}
	return missing
}

func (g Grants) allow(need Grant) bool {
	value := g[need.Annotation]
	switch need.Annotation {
	case RepositoriesAnnotation:
		return GrantsRepository(value, need.Value)
	case BucketsAnnotation:
		// The grant of a project includes its own bucket.
		if project, ok := strings.CutSuffix(need.Value, "_cloudbuild"); ok && grants(g[ProjectsAnnotation], 1, project) {
			return true
		}
		return grants(value, 1, need.Value)
	case ProjectsAnnotation:
		return grants(value, 1, need.Value)
	case TriggersAnnotation:
		return grants(value, 3, need.Value)
	case BuildAccountsAnnotation:
		return grantsAccount(value, need.Value)
	case MetricsAnnotation: // an address and one below it may belong to two servers
		return slices.Contains(entries(value), need.Value)
	}
	return false
}

// entries are the entries of a grant.
func entries(annotation string) []string {
	var all []string
	for entry := range strings.SplitSeq(annotation, ",") {
		if entry = strings.TrimSpace(entry); entry != "" && !slices.Contains(all, entry) {
			all = append(all, entry)
		}
	}
	return all
}

// grants reports whether an entry is the name, or a beginning of it with a *. A name has a
// number of segments, separated by slashes.
func grants(annotation string, segments int, name string) bool {
	if strings.Count(name, "/") != segments-1 || strings.ContainsAny(name, "*, ") {
		return false
	}
	for _, entry := range entries(annotation) {
		begin, any := strings.CutSuffix(entry, "*")
		if begin == "" || strings.Contains(begin, "*") || strings.Count(begin, "/") != segments-1 {
			continue
		}
		if name == entry || any && strings.HasPrefix(name, begin) && len(name) > len(begin) {
			return true
		}
	}
	return false
}

// grantsAccount: the accounts of a whole project are those of its own domain. Google's
// domains, such as that of all default accounts, cannot be granted.
func grantsAccount(annotation, account string) bool {
	name, domain, ok := strings.Cut(account, "@")
	if !ok || name == "" || strings.ContainsAny(account, "*, /") {
		return false
	}
	for _, entry := range entries(annotation) {
		project, ofProject := strings.CutSuffix(domain, ".iam.gserviceaccount.com")
		if entry == account || ofProject && project != "" && entry == "*@"+domain {
			return true
		}
	}
	return false
}

// GrantsRepository reports whether a value of [RepositoriesAnnotation] grants a repository
// (owner/name). GitHub's names ignore case.
func GrantsRepository(annotation, repository string) bool {
	repository = strings.ToLower(repository)
	for _, pattern := range entries(strings.ToLower(annotation)) {
		owner, name, found := strings.Cut(pattern, "/")
		if !found || strings.ContainsAny(owner, "*?[\\") || strings.ContainsAny(name, "?[\\") {
			continue
		}
		if ok, err := path.Match(pattern, repository); err == nil && ok {
			return true
		}
	}
	return false
}

// RepinnedTo returns the number that a repository is pinned to again; 0 if there is none.
func (g Grants) RepinnedTo(repository string) int64 {
	for _, entry := range entries(g[RepinAnnotation]) {
		name, number, _ := strings.Cut(entry, "=")
		if id, err := strconv.ParseInt(number, 10, 64); err == nil && id > 0 && strings.EqualFold(name, repository) {
			return id
		}
	}
	return 0
}

// Impersonated is the Google account for the namespace's builds; empty for Turnout's own.
func (g Grants) Impersonated() string { return strings.TrimSpace(g[ImpersonateAnnotation]) }

// Explain says what a namespace lacks, with the command for a cluster administrator. The
// command contains the complete value, including earlier grants, so it may be repeated.
func (g Grants) Explain(namespace string, missing []Grant) Advice {
	var names, order []string
	by := map[string][]string{}
	for _, m := range missing {
		if !grantable.MatchString(m.Value) {
			return Advise(fmt.Sprintf("namespace %s is not granted %q, and cannot be: correct %s", namespace, m.Value, m.Field))
		}
		text := m.String()
		if m.Annotation != RepositoriesAnnotation {
			text += " (" + m.Field + ")"
		}
		names = append(names, text)
		if by[m.Annotation] == nil {
			order = append(order, m.Annotation)
			by[m.Annotation] = entries(g[m.Annotation])
		}
		by[m.Annotation] = append(by[m.Annotation], m.Value)
	}
	words := []string{"kubectl", "annotate", "--overwrite", "namespace", namespace}
	for _, annotation := range order {
		words = append(words, annotation+"="+strings.Join(by[annotation], ","))
	}
	return Advise(fmt.Sprintf("namespace %s is not granted %s; a cluster administrator grants it by annotating the namespace: %s", namespace,
		strings.Join(names, ", "), strings.Join(order, ", ")), Shell(words...))
}

// Repin is the command that pins a repository again, by its number. Other pins stay.
func (g Grants) Repin(namespace, repository string, id int64) ShellCommand {
	kept := slices.DeleteFunc(entries(g[RepinAnnotation]), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.EqualFold(name, repository)
	})
	kept = append(kept, fmt.Sprintf("%s=%d", repository, id))
	return Shell("kubectl", "annotate", "--overwrite", "namespace", namespace, RepinAnnotation+"="+strings.Join(kept, ","))
}

// grantable matches values that grant only themselves. The namespace's owner chooses them,
// and an administrator types the suggested command.
var grantable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]*$`)
