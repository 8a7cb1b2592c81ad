package githubtest

import "net/http"

// routes is the served REST API, with the permissions from GitHub's own list of what GitHub
// Apps need (github/docs, server-to-server-permissions.json). The first match serves.
func routes() []route {
	const repo = "/repos/{owner}/{repo}"
	const comment = repo + "/issues/comments/{comment_id}"
	var (
		contents       = []permission{{name: "contents"}}
		pulls          = []permission{{name: "pull_requests"}}
		readComments   = []permission{{name: "issues"}, {name: "pull_requests"}}
		writeComments  = []permission{{name: "issues", write: true}, {name: "pull_requests", write: true}}
		readReactions  = []permission{{name: "issues"}}
		writeReactions = []permission{{name: "issues", write: true}}
		readDeploys    = []permission{{name: "deployments"}}
		writeDeploys   = []permission{{name: "deployments", write: true}}
	)
	return []route{
		{"GET", "/app", appJWT, nil, getApp},
		{"GET", "/app/installations", appJWT, nil, listInstallations},
		{"GET", "/app/installations/{installation_id}", appJWT, nil, getInstallation},
		{"POST", "/app/installations/{installation_id}/access_tokens", appJWT, nil, createToken},
		{"POST", "/app-manifests/{code}/conversions", anybody, nil, convertManifest},
		{"GET", "/app/hook/config", appJWT, nil, getHookConfig},
		{"GET", "/app/hook/deliveries", appJWT, nil, listDeliveries},
		{"GET", "/app/hook/deliveries/{delivery_id}", appJWT, nil, getDelivery},
		{"POST", "/app/hook/deliveries/{delivery_id}/attempts", appJWT, nil, redeliver},
		{"GET", repo + "/installation", appJWT, nil, getRepositoryInstallation},
		{"GET", "/rate_limit", anybody, nil, getRateLimit},
		{"GET", "/users/{username}", anybody, nil, getUser},

		{"GET", "/installation/repositories", installation, nil, listInstallationRepositories},
		{"GET", repo, installation, nil, getRepository},
		{"GET", repo + "/collaborators/{username}/permission", installation, nil, getCollaboratorPermission},
		{"GET", repo + "/branches/{branch}", installation, contents, getBranch},
		{"GET", repo + "/commits/{commit_sha}/pulls", installation, pulls, listPullsOfCommit},
		{"GET", repo + "/commits/{ref}", installation, contents, getCommit},
		{"GET", repo + "/compare/{basehead}", installation, contents, compareCommits},
		{"GET", repo + "/contents/{path}", installation, contents, getContents},
		{"GET", repo + "/tarball/{ref}", installation, contents, getTarball},
		{"GET", repo + "/git/ref/{ref}", installation, contents, getRef},

		{"GET", repo + "/pulls", installation, pulls, listPulls},
		{"GET", repo + "/pulls/{pull_number}", installation, pulls, getPull},

		{"GET", repo + "/issues/{issue_number}/comments", installation, readComments, listComments},
		{"POST", repo + "/issues/{issue_number}/comments", installation, writeComments, createComment},
		{"GET", comment, installation, readComments, getComment},
		{"PATCH", comment, installation, writeComments, editComment},
		{"DELETE", comment, installation, writeComments, deleteComment},
		{"GET", comment + "/reactions", installation, readReactions, listReactions},
		{"POST", comment + "/reactions", installation, writeReactions, createReaction},
		{"DELETE", comment + "/reactions/{reaction_id}", installation, writeReactions, deleteReaction},

		{"GET", repo + "/deployments", installation, readDeploys, listDeployments},
		{"POST", repo + "/deployments", installation, writeDeploys, createDeployment},
		{"GET", repo + "/deployments/{deployment_id}", installation, readDeploys, getDeployment},
		{"GET", repo + "/deployments/{deployment_id}/statuses", installation, readDeploys, listDeploymentStatuses},
		{"POST", repo + "/deployments/{deployment_id}/statuses", installation, writeDeploys, createDeploymentStatus},
	}
}

// undescribed are answers of GitHub that its description lacks.
var undescribed = map[string][]int{
	// "No commit found for SHA: …", as for the commit itself, whose description has it:
	// seen on api.github.com on 2026-08-18.
	"GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls": {http.StatusUnprocessableEntity},
}
