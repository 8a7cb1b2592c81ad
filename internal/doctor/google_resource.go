package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"google.golang.org/api/artifactregistry/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// resource is one of Google's resources. Its name is empty if there is none.
type resource struct {
	// name for people, such as "project acme-prod".
	name string
	// test returns which of the permissions the caller has.
	test func(ctx context.Context, as *http.Client, permissions []string) ([]string, error)
	// give is the command that gives somebody a role on it.
	give func(role, member string) v1alpha1.ShellCommand
	// create is the command that creates it; empty if nobody should.
	create v1alpha1.ShellCommand
}

func project(id string) resource {
	return resource{
		name: "project " + id,
		test: func(ctx context.Context, as *http.Client, permissions []string) ([]string, error) {
			service, err := cloudresourcemanager.NewService(ctx, option.WithHTTPClient(as))
			if err != nil {
				return nil, err
			}
			answer, err := service.Projects.TestIamPermissions("projects/"+id,
				&cloudresourcemanager.TestIamPermissionsRequest{Permissions: permissions}).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return answer.Permissions, nil
		},
		give: func(role, member string) v1alpha1.ShellCommand {
			return v1alpha1.Shell("gcloud", "projects", "add-iam-policy-binding", id, "--role="+role, "--condition=None", "--member="+member)
		},
	}
}

func bucket(name, project string) resource {
	return resource{
		name: "bucket " + name,
		test: func(ctx context.Context, as *http.Client, permissions []string) ([]string, error) {
			service, err := storage.NewService(ctx, option.WithHTTPClient(as))
			if err != nil {
				return nil, err
			}
			answer, err := service.Buckets.TestIamPermissions(name, permissions).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return answer.Permissions, nil
		},
		give: func(role, member string) v1alpha1.ShellCommand {
			return v1alpha1.Shell("gcloud", "storage", "buckets", "add-iam-policy-binding", "gs://"+name, "--role="+role, "--member="+member)
		},
		create: v1alpha1.Shell("gcloud", "storage", "buckets", "create", "gs://"+name, "--project="+project),
	}
}

func serviceAccount(email string) resource {
	return resource{
		name: "service account " + email,
		test: func(ctx context.Context, as *http.Client, permissions []string) ([]string, error) {
			service, err := iam.NewService(ctx, option.WithHTTPClient(as))
			if err != nil {
				return nil, err
			}
			answer, err := service.Projects.ServiceAccounts.TestIamPermissions("projects/-/serviceAccounts/"+email,
				&iam.TestIamPermissionsRequest{Permissions: permissions}).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return answer.Permissions, nil
		},
		give: func(role, member string) v1alpha1.ShellCommand {
			return v1alpha1.Shell("gcloud", "iam", "service-accounts", "add-iam-policy-binding", email, "--role="+role, "--member="+member)
		},
	}
}

// multiRegions are the locations of the repositories behind gcr.io (Google's page "Transition
// to gcr.io repositories in Artifact Registry").
var multiRegions = map[string]string{"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}

// repository is that of an image in one of Google's registries; without a name if it is in
// another one.
func repository(image string) resource {
	parts := strings.SplitN(image, "/", 4)
	if len(parts) < 3 {
		return resource{}
	}
	host, project := parts[0], parts[1]
	location, repo := multiRegions[host], host
	if of, ok := strings.CutSuffix(host, "-docker.pkg.dev"); ok && len(parts) == 4 {
		location, repo = of, parts[2]
	}
	if location == "" {
		return resource{}
	}
	path := "projects/" + project + "/locations/" + location + "/repositories/" + repo
	return resource{
		name: "registry " + path,
		test: func(ctx context.Context, as *http.Client, permissions []string) ([]string, error) {
			service, err := artifactregistry.NewService(ctx, option.WithHTTPClient(as))
			if err != nil {
				return nil, err
			}
			answer, err := service.Projects.Locations.Repositories.TestIamPermissions(path,
				&artifactregistry.TestIamPermissionsRequest{Permissions: permissions}).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return answer.Permissions, nil
		},
		give: func(role, member string) v1alpha1.ShellCommand {
			return v1alpha1.Shell("gcloud", "artifacts", "repositories", "add-iam-policy-binding", repo, "--project="+project,
				"--location="+location, "--role="+role, "--member="+member)
		},
	}
}

// refused is the finding about an answer of Google that says what is wrong; nil for every other
// error.
func (n need) refused(err error) *Finding {
	answer, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return nil
	}
	if service, of := disabledAPI(answer); service != "" {
		f := n.finding(CodeAPIDisabled)
		f.Severity = SeverityUnknown
		f.Message = "Google's API " + service + " is not enabled in " + of + ", so what may be done there cannot be asked: enable it"
		f.Commands = commands(v1alpha1.Shell("gcloud", "services", "enable", service, "--project="+strings.TrimPrefix(of, "projects/")))
		f.Users = EffectNone
		return f
	}
	if answer.Code == http.StatusNotFound {
		f := n.finding(CodeGoogleMissing)
		f.Message = "it does not exist, or may not be seen, and " + n.by + " needs it: create it, or correct the field"
		f.Commands = commands(n.resource.create)
		return f
	}
	return nil
}

// disabledAPI is the API that is not enabled, and the project in which it is not (AIP-193: an
// ErrorInfo with the reason SERVICE_DISABLED).
func disabledAPI(answer *googleapi.Error) (service, project string) {
	for _, detail := range answer.Details {
		text, err := json.Marshal(detail)
		var info struct {
			Reason   string `json:"reason"`
			Metadata struct {
				Service  string `json:"service"`
				Consumer string `json:"consumer"`
			} `json:"metadata"`
		}
		if err == nil && json.Unmarshal(text, &info) == nil && info.Reason == "SERVICE_DISABLED" {
			return info.Metadata.Service, info.Metadata.Consumer
		}
	}
	return "", ""
}
