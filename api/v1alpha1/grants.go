package v1alpha1

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Annotations of a Namespace by which a cluster administrator grants it what
// Turnout does with rights of its own: with the App's on GitHub, and with its one
// Google identity. Each is a list, separated by commas. An entry may end in *,
// which stands for the rest of its last segment and never for all of it alone,
// unless something stands before it.
const (
	// RepositoriesAnnotation grants repositories, as owner/name. Only a cluster
	// administrator can write it, so a namespace owner cannot have private source
	// fetched with the bot's rights.
	RepositoriesAnnotation = "turnout.dev/repositories"

	// ProjectsAnnotation grants Google Cloud projects to build in: each with its
	// default build account, its default bucket, and its triggers that are known
	// to build the application's repository.
	ProjectsAnnotation = "turnout.dev/projects"

	// BuildAccountsAnnotation grants the accounts that spec.build.serviceAccount
	// may name, by address; *@PROJECT.iam.gserviceaccount.com are all of a project.
	BuildAccountsAnnotation = "turnout.dev/build-accounts"

	// BucketsAnnotation grants buckets of Cloud Storage for the source, besides the
	// projects' default ones.
	BucketsAnnotation = "turnout.dev/buckets"

	// TriggersAnnotation grants triggers of which Turnout cannot know the
	// repository, as project/location/name. Their project must be granted, too.
	TriggersAnnotation = "turnout.dev/triggers"

	// MetricsAnnotation grants where metrics are asked for: addresses of a Prometheus,
	// and Google Cloud projects.
	MetricsAnnotation = "turnout.dev/metrics"

	// RepinAnnotation pins repositories again, by their number: owner/name=number. It
	// is for a repository that was made anew or replaced under its name.
	RepinAnnotation = "turnout.dev/repin"

	// ImpersonateAnnotation names one Google account as which everything is done
	// that Turnout asks of Google for the namespace, instead of its own.
	ImpersonateAnnotation = "turnout.dev/impersonate"
)

// Grant is something that a namespace must be granted.
type Grant struct {
	// Annotation of the Namespace that grants it.
	Annotation string
	// Value is the entry that grants it and nothing else.
	Value string
	// Field that asks for it.
	Field string
}

// String names what is asked for, for people.
func (g Grant) String() string {
	kind := map[string]string{
		RepositoriesAnnotation: "", ProjectsAnnotation: "project ", BuildAccountsAnnotation: "build account ",
		BucketsAnnotation: "bucket ", TriggersAnnotation: "trigger ", MetricsAnnotation: "metrics of ",
	}[g.Annotation]
	return kind + g.Value
}

// Grants are what a namespace is granted: the annotations of its Namespace.
type Grants map[string]string

// Needs are the grants that an application needs, as far as its spec tells. One
// that names a trigger may need another one, see [TriggerGrant].
func (b *BlueGreen) Needs() []Grant {
	spec := b.Spec.Build
	needs := []Grant{{RepositoriesAnnotation, b.Spec.Repository, "spec.repository"}, ProjectGrant(spec.Project, "spec.build.project")}
	if m := b.MetricsGrant(); m != nil {
		needs = append(needs, *m)
	}
	if spec.Trigger != "" {
		return needs // account and source are the trigger's
	}
	if !spec.Source.Git && b.SourceBucket() != spec.Project+"_cloudbuild" { // that one comes with the project
		needs = append(needs, Grant{BucketsAnnotation, b.SourceBucket(), "spec.build.source.bucket"})
	}
	if spec.ServiceAccount != "" {
		needs = append(needs, Grant{BuildAccountsAnnotation, spec.ServiceAccount, "spec.build.serviceAccount"})
	}
	return needs
}

// MetricsGrant is what asking for the application's metrics needs; nil if none are.
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

// ProjectGrant is the grant of a project that a field names.
func ProjectGrant(project, field string) Grant { return Grant{ProjectsAnnotation, project, field} }

// TriggerGrant is the grant of a trigger by its name or id.
func TriggerGrant(project, location, trigger string) Grant {
	return Grant{TriggersAnnotation, project + "/" + location + "/" + trigger, "spec.build.trigger"}
}

// Missing returns those needs that are not granted.
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
		// A granted project's own bucket comes with it.
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
	case MetricsAnnotation: // an address and what is below it may be two servers'
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

// grants reports whether one of the entries is the name, or what it begins with
// and a *. A name has a number of segments, separated by slashes.
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

// grantsAccount: the accounts of a whole project are those of its own domain; a
// domain of Google's, such as that of all default accounts, cannot be granted.
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

// GrantsRepository reports whether the value of [RepositoriesAnnotation] grants
// a repository (owner/name). GitHub's names are case-insensitive.
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

// RepinnedTo returns the number that a repository is pinned to again; 0 if none is
// named.
func (g Grants) RepinnedTo(repository string) int64 {
	for _, entry := range entries(g[RepinAnnotation]) {
		name, number, _ := strings.Cut(entry, "=")
		if id, err := strconv.ParseInt(number, 10, 64); err == nil && id > 0 && strings.EqualFold(name, repository) {
			return id
		}
	}
	return 0
}

// Impersonated is the Google account as which the namespace's builds are made;
// empty: Turnout's own.
func (g Grants) Impersonated() string { return strings.TrimSpace(g[ImpersonateAnnotation]) }

// Explain says what a namespace lacks, with the command by which a cluster
// administrator grants it. The values in that are whole, with what is granted
// already, so that it may be typed again.
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

// Repin is the command that pins a repository again, by its number. What is pinned
// of others stays.
func (g Grants) Repin(namespace, repository string, id int64) ShellCommand {
	kept := slices.DeleteFunc(entries(g[RepinAnnotation]), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.EqualFold(name, repository)
	})
	kept = append(kept, fmt.Sprintf("%s=%d", repository, id))
	return Shell("kubectl", "annotate", "--overwrite", "namespace", namespace, RepinAnnotation+"="+strings.Join(kept, ","))
}

// grantable are values of which one grants that and nothing else. Whoever owns the
// namespace chooses them, and an administrator types what is said.
var grantable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]*$`)
