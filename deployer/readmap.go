package deployer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/urlmap"
	"github.com/turnout-dev/turnout/internal/prose"
)

const (
	// readLimit bounds one read of a URL map.
	readLimit = 10 * time.Second
	// readEvery is how often to read it while a release waits for it.
	readEvery = 5 * time.Second
)

// urlMap reads the load balancer's URL map.
type urlMap struct {
	urlMaps    *urlmap.Client // nil: none is read
	asks       *asks
	probers    *probers
	routes     groupsReader
	rhythm     rhythm
	carriesOut time.Duration
}

// mapFrom is the time from which the URL map is a sign. Until then its controller may still be
// applying earlier routes.
func (u urlMap) mapFrom(last *v1alpha1.SwitchRecord) time.Time {
	if !last.Unsettled {
		return time.Time{} // it led to the other colour when these routes were written
	}
	return track.RoutedSince(last).Add(u.carriesOut)
}

// readMap returns what the URL map last showed about the routes, and reads it again when due. An
// event of its controller makes it due at once.
func (u urlMap) readMap(ctx context.Context, w *work, last *v1alpha1.SwitchRecord, event bool) track.MapWord {
	routes, urlMaps, probers := w.o.Routes, u.urlMaps, u.probers
	switch {
	case routes.LoadBalancer != v1alpha1.LoadBalancerGCE || routes.URLMap == "":
		return track.MapWord{}
	case urlMaps == nil:
		return track.MapWord{
			Text: "Or start turnout serve with --load-balancer-project, so that it reads URL map " + prose.Line(routes.URLMap, 63),
		}
	}
	if at := u.mapFrom(last); w.o.Now.Before(at) {
		w.wakeAt(at)
		return track.MapWord{
			Asked: true, Pending: true,
			Text: "URL map " + prose.Line(routes.URLMap, 63) + " is read from " + track.Clock(at) +
				": until then its controller may use the earlier routes",
		}
	}
	q, region, err := u.askOfMap(ctx, w, track.RoutedTo(last))
	if err != nil {
		return track.MapWord{Asked: true, Text: prose.Line("URL map "+routes.URLMap+" cannot be read: "+err.Error(), wayLimit)}
	}
	key, log := client.ObjectKeyFromObject(w.bg), w.log
	about := fmt.Sprint(routesOf(last), routes.Generation, event)
	every := u.rhythm.every(w, last)
	if w.bg.Status.Active != nil {
		every = min(every, readEvery) // a release is waiting
	}
	told := u.asks.begin(inquiry{
		app: key, about: about, every: every,
		ask: func(ctx context.Context) answers {
			ctx, cancel := context.WithTimeout(ctx, readLimit)
			defer cancel()
			m, err := urlMaps.Get(ctx, region, routes.URLMap)
			return saidByMap(m, err, q)
		},
		wake: func() { probers.look(key) },
		say: func(a answers) {
			//nolint:sloglint // the look has ended
			log.Warn("the url map of the load balancer shows nothing",
				"url_map", routes.URLMap, "project", urlMaps.Project(), "why", a.text)
		},
	})
	w.wakeAt(u.asks.next(key, about, every))
	if told == nil {
		return track.MapWord{Asked: true, Tells: true, Pending: true, Text: "URL map " + routes.URLMap + " is being read"}
	}
	return track.MapWord{
		Asked: true, Tells: !told.silent, There: told.there, Against: told.reason == v1alpha1.ReasonOldRoutes,
		Text: told.text,
	}
}

// saidByMap is what a read of the URL map shows. A map that could not be read shows nothing about
// users.
func saidByMap(m urlmap.Map, err error, q urlmap.Question) answers {
	if err != nil {
		reason := "NotRead"
		if e, ok := errors.AsType[*urlmap.Error](err); ok {
			reason += strconv.Itoa(e.Code)
		}
		return answers{silent: true, reason: reason, text: prose.Line(err.Error(), wayLimit)}
	}
	switch a := m.Says(q); {
	case a.There:
		return answers{there: true, text: "URL map " + m.Name + " leads there"}
	case a.Old != "":
		return answers{reason: v1alpha1.ReasonOldRoutes, text: prose.Line("URL map "+m.Name+" still leads "+a.Old, wayLimit)}
	}
	return answers{silent: true, reason: "Neither", text: "URL map " + m.Name + " leads to no backend service of either colour"}
}

// askOfMap is the question to the URL map: the names of the colours' backend services.
func (u urlMap) askOfMap(ctx context.Context, w *work, live v1alpha1.Color) (q urlmap.Question, region string, err error) {
	routes := w.o.Routes
	q.StandbyHost = routes.StandbyHost
	for c, names := range map[v1alpha1.Color]*[]string{live: &q.To, live.Other(): &q.From} {
		groups, err := u.routes.GroupStates(ctx, w.bg, routes, c)
		if err != nil {
			return q, "", err
		}
		if len(groups) == 0 {
			return q, "", fmt.Errorf("ingress %s names no port of service %s", routes.Name, w.bg.Side(c).Service)
		}
		for _, g := range groups {
			if g.Backend == "" {
				return q, "", fmt.Errorf("no backend service is named for port %d of service %s", g.Port, w.bg.Side(c).Service)
			}
			*names = append(*names, g.Backend)
			region = g.Region
		}
	}
	switch {
	case !routes.Regional:
		region = ""
	case region == "":
		return q, "", errors.New("nothing says in which region the load balancer is")
	}
	return q, region, nil
}
