// Package postgres runs a PostgreSQL server for the sandbox's applications. It is Debian's own
// (package postgresql), reached by a Unix socket: pods see the machine's files.
//
// # Decisions
//
// The server refuses to run as root, and inside the sandbox everybody is root. So it runs outside,
// see netns.Options.Outside, as the machine's user postgres or, without root, as whoever started it.
//
// Everybody who can reach the socket is let in: it lies in a temporary directory, for one test run.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-dev/turnout/internal/process"
)

// envDir tells the inside where the server is.
const envDir = "TURNOUT_SANDBOX_POSTGRES"

// Owner is the user who may do everything in every database.
const Owner = "shop"

// startTimeout is how long the server may take to start, on a busy machine.
const startTimeout = time.Minute

// ErrMissing marks a machine without PostgreSQL.
var ErrMissing = errors.New("PostgreSQL is not installed; on Debian: apt-get install postgresql")

// Server is a running server.
type Server struct {
	// Dir has the socket; libpq takes it as a host.
	Dir string
	bin string
}

// Outside starts a server, if the machine has one: see netns.Options.Outside. Inside, [Running]
// finds it.
func Outside() (stop func(), err error) {
	bin, err := programs()
	if errors.Is(err, ErrMissing) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg-") // short: a socket's path has at most 107 characters
	if err != nil {
		return nil, fmt.Errorf("making a directory for PostgreSQL: %w", err)
	}
	end, err := start(bin, dir)
	if err == nil {
		err = os.Setenv(envDir, dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return func() {
		end()
		_ = os.RemoveAll(dir) // it is a temporary directory
	}, nil
}

// Running returns the server that [Outside] started, or ErrMissing.
func Running() (*Server, error) {
	dir := os.Getenv(envDir)
	if dir == "" {
		return nil, ErrMissing
	}
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	return &Server{Dir: dir, bin: bin}, nil
}

// programs returns the directory of the newest server's programs, which Debian keeps out of PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", fmt.Errorf("looking for PostgreSQL: %w", err)
	}
	if len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return "", ErrMissing
		}
		found = []string{path}
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// start makes a cluster of databases and starts its server.
func start(bin, dir string) (stop func(), err error) {
	data, logs := filepath.Join(dir, "data"), filepath.Join(dir, "log")
	err = errors.Join(os.Mkdir(data, 0o700), os.Chmod(dir, 0o777)) //nolint:gosec // G302: the server's user puts its socket there
	if err != nil {
		return nil, fmt.Errorf("making directories for PostgreSQL: %w", err)
	}
	as, err := owner(data)
	if err != nil {
		return nil, err
	}
	initialise := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", Owner, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	initialise.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	initialise.Dir = dir
	if out, err := initialise.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making PostgreSQL's databases in %s: %w: %s", data, err, out)
	}
	server, err := process.Start(process.Options{
		Program: filepath.Join(bin, "postgres"), Log: logs, User: as, Args: []string{
			"-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories=" + dir, "-c", "fsync=off", "-c", "max_connections=200",
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s := &Server{Dir: dir, bin: bin}
	if err := server.Await(ctx, func(ctx context.Context) error {
		_, err := s.Query(ctx, "postgres", "SELECT 1")
		return err
	}); err != nil {
		server.Stop()
		return nil, err
	}
	return server.Stop, nil
}

// owner gives a directory to the user that runs the server. Nil means this process's.
func owner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID, os.Chown(dir, int(uid), int(gid))); err != nil { //nolint:gosec // G115: 32 bits
		return nil, fmt.Errorf("giving %s to the user postgres: %w", dir, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}, nil
}

// Create makes an empty database, in place of one of that name.
func (s *Server) Create(ctx context.Context, name string) error {
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		if _, err := s.Query(ctx, "postgres", statement); err != nil {
			return err
		}
	}
	return nil
}

// Query runs a statement. It returns the rows as lines, with | between columns.
func (s *Server) Query(ctx context.Context, database, statement string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1",
		"-h", s.Dir, "-U", Owner, "-d", database, "-c", statement) //nolint:gosec // G204: a test's own statement
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s in database %s: %w: %s", statement, database, err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
