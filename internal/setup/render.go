package setup

import (
	"bytes"
	_ "embed" // embeds page.html
	"html/template"
	"net/http"

	"github.com/turnout-dev/turnout/internal/doctor"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// shown is what the page shows.
type shown struct {
	Step  string // token, app, send, done or refused
	Wrong string // what is wrong with what was sent, or why it goes no further

	Name, Organization, Webhook string

	Action, Manifest string
	Permissions      map[string]string
	Events           []string

	Install  string
	Lost     string // why the test delivery did not arrive at Webhook
	Findings []doctor.Finding
}

// render shows the page. Nothing of it may run, and it may not be framed.
func (p *Page) render(w http.ResponseWriter, status int, what shown) {
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, what); err != nil {
		http.Error(w, "rendering the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action "+p.formTargets())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the reader may be gone
}
