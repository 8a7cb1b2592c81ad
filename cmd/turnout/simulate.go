package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// simulated is a webhook to send.
type simulated struct {
	url, secretFile      string
	repository, user     string
	userID, installation int64
	timeout              time.Duration
}

// simulateCommand sends a signed webhook to any URL, as GitHub would.
func simulateCommand() *cobra.Command {
	var s simulated
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Send a signed webhook, as GitHub would",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Long: "Send a signed webhook, as GitHub would, to any URL. It serves for trying out and\n" +
			"for debugging; the receiver must know the same secret.",
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&s.url, "url", "http://127.0.0.1:8080/webhook", "where to send it")
	flags.StringVar(&s.secretFile, "webhook-secret-file", "", "file with the webhook secret; its first line signs (required)")
	flags.StringVar(&s.repository, "repository", "acme/my-python-app", "the repository, as owner/name")
	flags.StringVar(&s.user, "user", "octocat", "login of the user who does it")
	flags.Int64Var(&s.userID, "user-id", 1, "id of the user who does it")
	flags.Int64Var(&s.installation, "installation", 1, "id of the App's installation")
	flags.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long to wait for the answer; GitHub waits 10 s")
	cmd.AddCommand(s.push(), s.comment(), s.file())
	return cmd
}

func (s *simulated) push() *cobra.Command {
	var branch, before, commit string
	cmd := &cobra.Command{
		Use:   "push",
		Short: "A push of a commit to a branch",
		Args:  arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !v1alpha1.IsCommit(commit) {
				return fmt.Errorf("--commit %q: give the full hash, %s", commit, v1alpha1.CommitDigits)
			}
			return s.send(cmd.Context(), cmd.OutOrStdout(), "push", map[string]any{
				"ref": "refs/heads/" + branch, "before": before, "after": commit,
				"created": false, "deleted": false, "forced": false,
				"repository": s.repo(), "sender": s.sender(), "installation": s.install(),
				"pusher":      map[string]any{"name": s.user},
				"head_commit": map[string]any{"id": commit, "message": "simulated"},
				"commits":     []any{},
			})
		},
	}
	cmd.Flags().StringVar(&branch, "branch", "main", "the branch")
	cmd.Flags().StringVar(&before, "before", strings.Repeat("0", 40), "the commit before")
	cmd.Flags().StringVar(&commit, "commit", "", "the commit after (required)")
	return cmd
}

func (s *simulated) comment() *cobra.Command {
	var body string
	var number int
	var id int64
	cmd := &cobra.Command{
		Use:   "comment",
		Short: "A comment on a pull request",
		Args:  arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if body == "" || number == 0 {
				return errors.New("a comment needs --pull and --body")
			}
			html := fmt.Sprintf("https://github.com/%s/pull/%d", s.repository, number)
			return s.send(cmd.Context(), cmd.OutOrStdout(), "issue_comment", map[string]any{
				"action": "created",
				"issue": map[string]any{
					"number": number, "html_url": html, "state": "closed",
					"pull_request": map[string]any{"html_url": html},
				},
				"comment": map[string]any{
					"id": id, "body": body, "user": s.sender(), "html_url": fmt.Sprintf("%s#issuecomment-%d", html, id),
					"created_at": time.Now().UTC().Format(time.RFC3339), "updated_at": time.Now().UTC().Format(time.RFC3339),
				},
				"repository": s.repo(), "sender": s.sender(), "installation": s.install(),
			})
		},
	}
	cmd.Flags().StringVar(&body, "body", "", "the comment, such as /promote (required)")
	cmd.Flags().IntVar(&number, "pull", 0, "number of the pull request (required)")
	cmd.Flags().Int64Var(&id, "comment-id", 1, "id of the comment")
	return cmd
}

func (s *simulated) file() *cobra.Command {
	var event string
	cmd := &cobra.Command{
		Use:   "file FILE",
		Short: "A payload from a file, such as a captured one",
		Args:  arguments{needs: "a file with a payload", most: 1, example: "turnout simulate file push.json"}.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("reading the payload: %w", err)
			}
			return s.deliver(cmd.Context(), cmd.OutOrStdout(), event, data)
		},
	}
	cmd.Flags().StringVar(&event, "event", "push", "the event, sent as X-GitHub-Event")
	return cmd
}

func (s *simulated) repo() map[string]any {
	owner, name, _ := strings.Cut(s.repository, "/")
	return map[string]any{
		"id": 1, "name": name, "full_name": s.repository, "default_branch": "main",
		"owner": map[string]any{"login": owner, "name": owner, "id": 1, "type": "Organization"},
	}
}

func (s *simulated) sender() map[string]any {
	return map[string]any{"login": s.user, "id": s.userID, "type": "User"}
}

func (s *simulated) install() map[string]any { return map[string]any{"id": s.installation} }

func (s *simulated) send(ctx context.Context, out io.Writer, event string, payload map[string]any) error {
	if owner, name, ok := strings.Cut(s.repository, "/"); !ok || owner == "" || name == "" {
		return fmt.Errorf("--repository %q: give it as owner/name", s.repository)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encoding the payload: %w", err)
	}
	return s.deliver(ctx, out, event, data)
}

// deliver signs and sends a payload, and prints the answer.
func (s *simulated) deliver(ctx context.Context, out io.Writer, event string, payload []byte) error {
	secrets, err := readSecrets(s.secretFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("--url %q: %w", s.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/turnout-simulate")
	req.Header.Set("X-GitHub-Event", event)
	req.Header.Set("X-GitHub-Delivery", rand.Text())
	req.Header.Set("X-Hub-Signature-256", bot.Sign(secrets[0], payload))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("sending the webhook: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s %s\n", resp.Status, strings.TrimSpace(string(answer))); err != nil {
		return fmt.Errorf("printing the answer: %w", err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s was answered %s", event, resp.Status)
	}
	return nil
}

// readSecrets returns the webhook secrets of a file, one per line.
func readSecrets(file string) ([]string, error) {
	if file == "" {
		return nil, errors.New("--webhook-secret-file (TURNOUT_WEBHOOK_SECRET_FILE) is required: a file with one secret a line")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--webhook-secret-file (%s): %w", variable("webhook-secret-file"), err)
	}
	var secrets []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			secrets = append(secrets, line)
		}
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("--webhook-secret-file (%s): %s holds no secret: write one per line", variable("webhook-secret-file"), file)
	}
	return secrets, nil
}
