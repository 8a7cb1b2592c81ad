package githubtest

// TB is what New needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	TempDir() string
}

// New starts a Server for one test. When the test ends the server is closed, and every violation of GitHub's API
// description by then, an unknown route included, fails the test.
func New(t TB, cfg Config) *Server {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		for _, v := range s.Violations() {
			t.Errorf("violation of GitHub's API description: %s", v)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing the GitHub stand-in: %v", err)
		}
	})
	return s
}
