package githubtest

// TB is the part of *testing.T that New needs.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	TempDir() string
}

// New starts a Server for one test. When the test ends, it closes the server, and every
// violation of GitHub's API description, including unknown routes, fails the test.
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
