package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/sandbox/postgres"
)

// lock is LOCK in the example's orders/rollout.py.
const lock = "1953854052"

// example is a copy of examples/django-app with a database.
type example struct {
	t        *testing.T
	server   *postgres.Server
	database string
}

// newExample skips the test where the machine lacks PostgreSQL, Django or psycopg2, unless
// TURNOUT_TEST_DJANGO is set, as .ci/run does.
func newExample(t *testing.T, database string) example {
	t.Helper()
	stop, err := postgres.Outside()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	server, missing := postgres.Running()
	if out, err := exec.CommandContext(t.Context(), python(), "-c", "import django, psycopg2").CombinedOutput(); err != nil {
		missing = errors.Join(missing, err, errors.New(string(out)))
	}
	switch {
	case missing != nil && os.Getenv("TURNOUT_TEST_DJANGO") != "":
		t.Fatal(missing)
	case missing != nil:
		t.Skip("there is no PostgreSQL, Django or psycopg2; on Debian: apt-get install postgresql python3-django python3-psycopg2, " +
			"and TURNOUT_SANDBOX_PYTHON=/usr/bin/python3")
	}
	if err := server.Create(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	return example{t: t, server: server, database: database}
}

func python() string {
	if p := os.Getenv("TURNOUT_SANDBOX_PYTHON"); p != "" {
		return p
	}
	return "python3"
}

// pod is a directory with the application's files, as a container has them.
func (e example) pod() (dir string) {
	e.t.Helper()
	dir = e.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/django-app")); err != nil {
		e.t.Fatal(err)
	}
	return dir
}

// running is a command of the application that has started.
type running struct {
	*exec.Cmd
	dir string
	out *bytes.Buffer
}

// start runs a command of manage.py, with more in its environment.
func (e example) start(dir, command string, more ...string) running {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), python(), "manage.py", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DATABASE_HOST="+e.server.Dir, "DATABASE_NAME="+e.database, "DATABASE_USER="+postgres.Owner)
	cmd.Env = append(cmd.Env, more...)
	r := running{cmd, dir, &bytes.Buffer{}}
	cmd.Stdout, cmd.Stderr = r.out, r.out
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	return r
}

// ends waits for a command, and returns what it told Kubernetes.
func (e example) ends(r running) (termination string) {
	e.t.Helper()
	if err := r.Wait(); err != nil {
		e.t.Fatalf("%s ended with %v: %s", r, err, r.out)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "run", "termination"))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

func (e example) query(statement string) string {
	e.t.Helper()
	rows, err := e.server.Query(e.t.Context(), e.database, statement)
	if err != nil {
		e.t.Fatal(err)
	}
	return rows
}

// await waits until a query returns this.
func (e example) await(statement, want string) {
	e.t.Helper()
	for ends := time.Now().Add(time.Minute); e.query(statement) != want; {
		if time.Now().After(ends) {
			e.t.Fatalf("%s never returned %q", statement, want)
		}
	}
}

// Kubernetes may start the pod of a Job twice. The second migration begins when the first one has
// ended, however that ended, and then finds nothing to do.
func TestTheExamplesMigrationsRunOneAfterTheOther(t *testing.T) {
	e := newExample(t, "one_after_the_other")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() { // another migration, until its connection is cut
		_, _ = e.server.Query(ctx, e.database, "SELECT pg_advisory_lock("+lock+"), pg_sleep(600)")
	}()
	const locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = " + lock + " AND granted"
	e.await(locks, "1")
	one, other := e.start(e.pod(), "expand"), e.start(e.pod(), "expand")
	e.await("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = "+lock+" AND NOT granted", "2")
	if tables := e.query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"); tables != "0" {
		t.Errorf("behind another migration there are %s tables", tables)
	}
	e.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
	told := map[string]int{}
	for _, r := range []running{one, other} {
		told[e.ends(r)]++
	}
	if told["changed"] != 1 || told["unchanged"] != 1 {
		t.Errorf("the two migrations said %v", told)
	}
}

// A hotfix on top of a commit that has not contracted must not contract early.
func TestTheExamplesExpandRefusesAContract(t *testing.T) {
	e := newExample(t, "refuses_a_contract")
	e.ends(e.start(e.pod(), "expand"))
	dir := e.pod()
	merged := exec.CommandContext(t.Context(), "cp", "-r", "rename/.", ".")
	merged.Dir = dir
	if out, err := merged.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const hotfix = `from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_gift_and_note"), ("orders_contract", "0001_drop_buyer")]
    operations = []
`
	if err := os.WriteFile(filepath.Join(dir, "orders", "migrations", "0004_hotfix.py"), []byte(hotfix), 0o600); err != nil {
		t.Fatal(err)
	}
	r := e.start(dir, "expand")
	if err := r.Wait(); err == nil || !strings.Contains(r.out.String(), "an expand would run orders_contract.0001_drop_buyer") {
		t.Errorf("the expand ended with %v: %s", err, r.out)
	}
	const buyer = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders_order' AND column_name = 'buyer'"
	if left := e.query(buyer); left != "1" {
		t.Error("the expand contracted")
	}
}
