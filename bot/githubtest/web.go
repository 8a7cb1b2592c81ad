package githubtest

import "net/http"

// webRoutes are what is not the REST API: downloads, pages for people, and the forms of the sandbox.
func (s *Server) webRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_codeload/{owner}/{repo}/legacy.tar.gz/{sha}", s.serveDownload)
	return mux
}
