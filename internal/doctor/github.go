package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-dev/turnout"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// GitHub has the checks of the GitHub App.
type GitHub struct {
	Client *githubapp.Client
	World  *World
	// Now is the time of the check.
	Now time.Time
}

func (g *GitHub) registration() githubapp.Registration { return githubapp.RegistrationOf(g.Client) }

// lately is how far back deliveries are looked at. GitHub keeps them for three days.
const lately = 24 * time.Hour

// Checks are those of the GitHub App. With an application in scope they are only about its
// repository.
func (g *GitHub) Checks() []Check {
	repositories := Check{AreaGitHub, "repositories", g.repositories}
	if g.World.Scope.Application != "" {
		return []Check{repositories}
	}
	return []Check{
		{AreaGitHub, "app", g.app},
		{AreaGitHub, "installations", g.installations},
		{AreaGitHub, "webhook", g.webhook},
		repositories,
	}
}

func (g *GitHub) app(ctx context.Context) ([]Finding, error) {
	app, err := g.registration().App(ctx)
	if err != nil {
		return nil, err
	}
	return AppFindings(app, turnout.AppManifest()), nil
}

// AppFindings compares an App's permissions and events with those of a manifest.
func AppFindings(app githubapp.App, m turnout.Manifest) []Finding {
	object := "GitHub App " + app.Slug
	return missingRights(Finding{
		Severity: SeverityError, Object: object, Page: app.Settings() + "/permissions", Users: EffectReleases,
	}, rightsOnGitHub{app.Permissions, app.Events}, m, "give it on the App's page; each owner of an installation must then accept it")
}

// rightsOnGitHub are permissions and events.
type rightsOnGitHub struct {
	permissions map[string]string
	events      []string
}

// missingRights are the findings about permissions and events that a manifest has and somebody
// lacks.
func missingRights(like Finding, has rightsOnGitHub, m turnout.Manifest, mend string) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(m.Permissions)) {
		if want, have := m.Permissions[name], has.permissions[name]; have != want && have != "write" && have != "admin" {
			f := like
			f.Code, f.Field = CodePermission, "permissions."+name
			f.Message = fmt.Sprintf("Turnout needs %s here and has %q: %s", want, have, mend)
			found = append(found, f)
		}
	}
	for _, event := range m.Events {
		if !slices.Contains(has.events, event) {
			f := like
			f.Code, f.Field = CodeEvent, "events."+event
			f.Message = "GitHub does not send this event, so Turnout does not hear of it: " + mend
			found = append(found, f)
		}
	}
	return found
}

// installations checks that each owner has accepted what Turnout needs.
func (g *GitHub) installations(ctx context.Context) ([]Finding, error) {
	app, err := g.registration().App(ctx)
	if err != nil {
		return nil, err
	}
	all, err := g.registration().Installations(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return []Finding{{
			Code: CodeNoInstallation, Severity: SeverityError, Object: "GitHub App " + app.Slug, Page: app.Install(), Users: EffectReleases,
			Message: "it is installed nowhere: install it on a repository",
		}}, nil
	}
	var found []Finding
	for _, in := range all {
		like := Finding{Severity: SeverityError, Object: "installation of " + in.Account, Page: in.Page, Users: EffectReleases}
		if in.Suspended {
			like.Code, like.Field = CodeSuspended, "suspended_at"
			like.Message = "its owner has suspended it, so Turnout can do nothing there: end the suspension on its page"
			found = append(found, like)
			continue
		}
		m := turnout.AppManifest()
		found = append(found, missingRights(like, rightsOnGitHub{in.Permissions, in.Events}, m, "its owner accepts it on its page")...)
	}
	return found, nil
}

// repositories checks that the App is installed on the repository of each application.
func (g *GitHub) repositories(ctx context.Context) ([]Finding, error) {
	var found []Finding
	var errs []error
	asked := map[string]bool{}
	for i := range g.World.Applications {
		bg := &g.World.Applications[i]
		repository := strings.ToLower(bg.Spec.Repository)
		if asked[repository] {
			continue
		}
		asked[repository] = true
		in, err := g.registration().InstallationOf(ctx, bg.Spec.Repository)
		if err != nil || in != nil {
			errs = append(errs, err)
			continue
		}
		app, err := g.registration().App(ctx)
		errs = append(errs, err)
		found = append(found, Finding{
			Code: CodeNotInstalledOn, Severity: SeverityError, Object: named("bluegreen", bg.Namespace, bg.Name), Field: "spec.repository",
			Message: fmt.Sprintf("the App is not installed on %s, or there is no such repository: install it there", bg.Spec.Repository),
			Page:    app.Install(), Users: EffectReleases,
		})
	}
	return found, errors.Join(errs...)
}

// webhook checks that GitHub knows where to send events, and that they arrive.
func (g *GitHub) webhook(ctx context.Context) ([]Finding, error) {
	app, err := g.registration().App(ctx)
	if err != nil {
		return nil, err
	}
	f := Finding{Severity: SeverityError, Object: "webhook of GitHub App " + app.Slug, Page: app.Settings(), Users: EffectReleases}
	address, err := g.registration().HookURL(ctx)
	if err != nil {
		return nil, err
	}
	if address == "" || strings.Contains(address, "//turnout.example.com/") {
		f.Code, f.Field = CodeNoWebhook, "url"
		f.Message = fmt.Sprintf("its address is %q, so no event arrives: set it to where Turnout is reached", address)
		return []Finding{f}, nil
	}
	since := g.Now.Add(-lately)
	lost, more, err := g.Client.LostDeliveries(ctx, since, nil)
	// A page of the list may go further back.
	lost = slices.DeleteFunc(lost, func(d githubapp.LostDelivery) bool { return d.At.Before(since) })
	if err != nil || len(lost) == 0 {
		return nil, err
	}
	f.Code, f.Severity, f.Page = CodeLostDeliveries, SeverityWarning, app.Settings()+"/advanced"
	count := strconv.Itoa(len(lost))
	if len(more) > 0 {
		count = "at least " + count
	}
	f.Message = fmt.Sprintf("%s of its deliveries to %s in the last day were not accepted, the last one %s: Turnout reads them back, minutes "+
		"later. What GitHub got for an answer is on the App's page: 401 means another webhook secret, a timeout an address that does not "+
		"lead to Turnout", count, address, lost[len(lost)-1].Event)
	return []Finding{f}, nil
}
