package turnout

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// standIn names the environment variable that makes this test's binary serve /readyz, unless it takes the
// last of these files: then it ends before it is ready.
const standIn = "TURNOUT_TEST_STAND_IN"

func TestMain(m *testing.M) {
	deaths := os.Getenv(standIn)
	if deaths == "" {
		os.Exit(m.Run())
	}
	if all, err := os.ReadDir(deaths); err != nil || len(all) > 0 && os.Remove(filepath.Join(deaths, all[0].Name())) == nil {
		os.Exit(1)
	}
	ready := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	_ = http.ListenAndServe(os.Getenv("TURNOUT_LISTEN"), ready) //nolint:gosec // G114: a test's
	os.Exit(1)
}

// A process that ends before it is ready is started again until one is, and stopping what has ended ends.
func TestAProcessIsKeptRunning(t *testing.T) {
	deaths := t.TempDir()
	t.Setenv(standIn, deaths)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	free := httptest.NewServer(http.NotFoundHandler())
	free.Close()
	address := free.Listener.Addr().String()
	w := &world.World{GitHub: githubtest.New(t, githubtest.Config{}), CloudBuild: cloudbuildtest.New(t, cloudbuildtest.Config{})}
	app, err := w.GitHub.AddApp(githubtest.AppConfig{Slug: "turnout"})
	if err != nil {
		t.Fatal(err)
	}
	tn := &Turnout{
		App: app, URL: free.URL, listen: address, Log: filepath.Join(t.TempDir(), "log"), program: own,
		options: Options{World: w},
	}
	if err := tn.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(deaths, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, started := tn.PID(), make(chan int, 10)
	stop := tn.KeepRunning(t.Context(), func(pid int) { started <- pid })
	if err := tn.Kill(); err != nil {
		t.Fatal(err)
	}
	pids := map[int]bool{first: true}
	for range 3 {
		pids[<-started] = true
	}
	ended, err := stop()
	if err != nil || ended != 3 || len(pids) != 4 {
		t.Errorf("%d processes ended, %d are known, %v; want 3, 4", ended, len(pids), err)
	}
	if answer, err := http.Get(tn.URL + "/readyz"); err != nil {
		t.Errorf("it is not ready: %v", err)
	} else {
		_ = answer.Body.Close()
	}
	if err := tn.Kill(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if tn.Stop() == nil {
			t.Error("a killed process is said to have stopped")
		}
	}
}
