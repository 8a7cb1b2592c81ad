package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/turnout-dev/turnout/bot/githubtest"
)

// proposal is a pull request for a person to play with. Each changes lines of its own, so they can be
// merged, and reverted, in any order.
type proposal struct {
	branch, title, body string
	file                string // of the example
	change              edit
}

// stays ends the text of a bad version.
const stays = "\n\nAs on any branch, the mistake stays: versions that you merge later have it, too, until you press *Revert* here and " +
	"merge that."

// proposals are a good version, a slow one and two bad ones.
var proposals = []proposal{ //nolint:gochecknoglobals // a table
	{
		branch: "kindly", title: "Greet more kindly", file: "VERSION",
		body:   "A good version. Merge it: users get `v1.2.0` in about ten seconds.\n\nThen comment `/rollback`.",
		change: func(files map[string]string) { files["VERSION"] = "v1.2.0\n" },
	},
	{
		branch: "index", title: "Read an index on start", file: "app.py",
		body: "A **slow** version: each pod takes 8 seconds until it answers.\n\n- Users notice nothing meanwhile.\n" +
			"- Comment `/cancel` if you do not want to wait, or `/lock`, to keep it from users when it is ready.",
		change: replacing("app.py", "def main():\n", "def main():\n    time.sleep(8)  # an index\n"),
	},
	{
		branch: "settings", title: "Read the settings from the database", file: "app.py",
		body: "A **bad** version: it ends on start, since `DATABASE_URL` is not set. Users keep the version that they have, and the comment " +
			"shows the line of the log that says why." + stays,
		change: replacing("app.py", "    version = read_version()\n", "    version = read_version()\n"+
			"    if \"DATABASE_URL\" not in os.environ:\n        sys.exit(\"settings: DATABASE_URL is not set\")\n"),
	},
	{
		branch: "health", title: "Rework the health page", file: "app.py",
		body:   "A **bad** version: it starts, and its `/healthz` says `degraded`. The gate keeps it from users." + stays,
		change: replacing("app.py", `{"status": "ok", "version"`, `{"status": "degraded", "version"`),
	},
}

// Adopt creates the example application, adopts it, and opens pull requests, for a person to play with.
func Adopt(ctx context.Context, o Options) error {
	s, err := begin(o)
	if err != nil {
		return err
	}
	return s.play(ctx)
}

// play adopts the example and opens the pull requests.
func (s *story) play(ctx context.Context) error {
	if err := s.adopt(ctx); err != nil {
		return err
	}
	for _, p := range proposals {
		if err := s.offer(p); err != nil {
			return err
		}
	}
	return nil
}

// offer opens a pull request.
func (s *story) offer(p proposal) error {
	text, err := os.ReadFile(filepath.Join(s.Project, "examples", "python-app", p.file))
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	files := map[string]string{p.file: string(text)}
	p.change(files)
	if files[p.file] == string(text) {
		return fmt.Errorf("%q changes nothing of the example's %s", p.title, p.file)
	}
	if _, err := s.repo.CommitFiles(githubtest.Commit{
		Branch: p.branch, Message: p.title, Files: githubtest.Text(files), Author: s.writer,
	}); err != nil {
		return fmt.Errorf("committing %q: %w", p.title, err)
	}
	_, err = s.open(githubtest.NewPullRequest{Title: p.title, Body: p.body, Head: p.branch, Author: s.writer})
	return err
}
