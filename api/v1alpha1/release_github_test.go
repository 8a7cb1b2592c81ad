package v1alpha1

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSamePublication(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC))
	whole := metav1.NewTime(at.Truncate(time.Second))
	comments := []CommentStatus{{PullRequest: 1, ID: 7}, {PullRequest: 2, IntendedAt: &at}}
	turned := []CommentStatus{comments[1], comments[0]}
	for name, tt := range map[string]struct {
		a, b *GitHubStatus
		same bool
	}{
		"none and an empty one":     {nil, &GitHubStatus{}, true},
		"times of the same second":  {&GitHubStatus{DoubtSince: &at}, &GitHubStatus{DoubtSince: &whole}, true},
		"lists in another order":    {&GitHubStatus{PullRequests: []int{1, 2}}, &GitHubStatus{PullRequests: []int{2, 1}}, true},
		"comments in another order": {&GitHubStatus{Comments: comments}, &GitHubStatus{Comments: turned}, true},
		"a doubt":                   {&GitHubStatus{DeploymentID: 1}, &GitHubStatus{DeploymentID: 1, DoubtSince: &at}, false},
		"another deployment":        {&GitHubStatus{DeploymentID: 1}, &GitHubStatus{DeploymentID: 2}, false},
		"another comment":           {&GitHubStatus{Comments: comments}, &GitHubStatus{Comments: comments[:1]}, false},
		"none and something":        {nil, &GitHubStatus{Reaction: "eyes"}, false},
	} {
		if tt.a.Same(tt.b) != tt.same || tt.b.Same(tt.a) != tt.same {
			t.Errorf("%s: same is not %v", name, tt.same)
		}
	}
	if comments[0].PullRequest != 1 {
		t.Error("the comparison changed what it compared")
	}
}
