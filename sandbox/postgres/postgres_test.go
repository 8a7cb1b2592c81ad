package postgres_test

import (
	"errors"
	"os"
	"testing"

	"github.com/turnout-dev/turnout/sandbox/postgres"
)

func TestServerRunsStatements(t *testing.T) {
	stop, err := postgres.Outside()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	server, err := postgres.Running()
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("TURNOUT_TEST_POSTGRES") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Create(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	got, err := server.Query(t.Context(), "one", "SELECT n, n * 2 FROM generate_series(1, 2) n")
	if err != nil || got != "1|2\n2|4" {
		t.Errorf("the rows are %q, %v", got, err)
	}
	if _, err := server.Query(t.Context(), "one", "SELECT no_such_column"); err == nil {
		t.Error("a wrong statement gave no error")
	}
}
