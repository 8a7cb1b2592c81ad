package deployer

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// stepOf is the turn of a release's build, as a look gets it.
func stepOf(o *calls, release string) *turn {
	return o.turn(client.ObjectKey{Name: "app"}, turnKey{release, v1alpha1.StepBuild}, patience)
}

func TestAnswerThatComesLateIsFoundByALaterLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, asked := &calls{}, 0
		q := question{what: "reading"}
		look := func() (string, error) {
			return ask(t.Context(), stepOf(o, "1"), q, func(context.Context) (string, error) {
				asked++
				time.Sleep(10 * time.Second)
				return "answer", nil
			})
		}
		began := time.Now()
		_, err := look()
		w := pending(fmt.Errorf("wrapped: %w", err))
		if w == nil || time.Since(began) != patience {
			t.Fatalf("%v after %s, want a wait of %s", err, time.Since(began), patience)
		}
		if p := w.pause(time.Now()); p.message != "" || p.until != w.begun.Add(silent) {
			t.Errorf("the first failure is already reported: %+v", p)
		}
		if p := w.pause(time.Now().Add(silent)); p.message != "waits for an answer: reading" {
			t.Errorf("people are told %+v", p)
		}
		time.Sleep(11 * time.Second)
		for range 2 { // until the step has a result
			if answer, err := look(); answer != "answer" || err != nil {
				t.Errorf("got %q, %v", answer, err)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		stepOf(o, "1").settle(time.Now(), nil)
		if _, err := look(); pending(err) == nil || asked != 2 {
			t.Errorf("after its result a step does not ask again: %v", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestBackOffGrowsToItsLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, asked := &calls{}, 0
		outage := errors.New("outage")
		began := time.Now()
		for time.Since(began) < time.Hour { // somebody wakes the step every second
			turn := stepOf(o, "1")
			if _, why := turn.held(time.Now()); why == nil {
				_, err := ask(t.Context(), turn, question{what: "x"}, func(context.Context) (int, error) { asked++; return 0, outage })
				turn.settle(time.Now(), err)
			}
			time.Sleep(time.Second)
		}
		// 8 in the first minutes, then one every one and a half to two minutes.
		if asked < 30 || asked > 48 {
			t.Errorf("asked %d times in an hour", asked)
		}
		turn := stepOf(o, "1")
		o.hear(turn.app, nil)
		o.hear(turn.app, commandsOf([]v1alpha1.Release{{Spec: v1alpha1.ReleaseSpec{Cause: v1alpha1.Cause{Kind: v1alpha1.CausePush}}}}))
		if _, why := turn.held(turn.until.Add(-time.Second)); why == nil || why.Error() != "outage" {
			t.Errorf("a push ended the back-off: %q", why)
		}
		until := turn.until
		o.hear(turn.app, map[string]bool{"approve 1": true})
		if _, why := turn.held(until.Add(-time.Second)); why != nil {
			t.Errorf("a person's command did not end the back-off: %s", why)
		}
	})
}

// Of an application that rests, nothing is kept; of questions outside of releases, what is unanswered, or
// has failed.
func TestNothingIsKeptOfAnApplicationThatRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, app := &calls{}, client.ObjectKey{Namespace: "ns", Name: "shop"}
		turn := func() *turn { return o.turn(app, turnKey{step: stepReach}, patience) }
		kept := func(want bool, when string) {
			t.Helper()
			if o.rest(app); (o.turns[app] != nil) != want {
				t.Errorf("%s: turns are kept: %v, want %v", when, !want, want)
			}
		}
		answer, outage := make(chan struct{}), errors.New("outage")
		look := func(ctx context.Context) (int, error) {
			select {
			case <-answer:
				return 1, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		q := question{what: "x"}
		if _, err := ask(t.Context(), turn(), q, look); pending(err) == nil {
			t.Fatal(err)
		}
		kept(true, "unanswered")
		close(answer)
		synctest.Wait()
		kept(true, "answered, and not heard")
		if n, err := ask(t.Context(), turn(), q, look); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		turn().settle(time.Now(), nil)
		kept(false, "settled")
		_, err := ask(t.Context(), turn(), q, func(context.Context) (int, error) { return 0, outage })
		turn().settle(time.Now(), err)
		kept(true, "failed")
		if _, why := turn().held(time.Now()); !errors.Is(why, outage) {
			t.Errorf("the back-off is forgotten: %v", why)
		}
	})
}

func TestSourcesAreBroughtAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &calls{}
		var now, most, done atomic.Int32
		for i := range 3 * transfers {
			_, err := ask(t.Context(), stepOf(o, fmt.Sprint(i)), question{what: "source", transfer: true}, func(ctx context.Context) (int, error) {
				if d, ok := ctx.Deadline(); !ok || time.Until(d) != transferLimit {
					t.Errorf("the time limit began before the step did: %s", time.Until(d))
				}
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(10 * time.Minute)
				now.Add(-1)
				done.Add(1)
				return 0, nil
			})
			if pending(err) == nil {
				t.Fatal(err)
			}
		}
		if _, err := ask(t.Context(), stepOf(o, "0"), question{what: "question"},
			func(context.Context) (int, error) { return 1, nil }); err != nil {
			t.Errorf("a call waits for the sources: %v", err)
		}
		time.Sleep(time.Hour)
		if most.Load() != transfers || done.Load() != 3*transfers {
			t.Errorf("%d at once, %d done", most.Load(), done.Load())
		}
	})
}

func TestCallsEndWithTheirReleaseButForEffects(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(context.Context, *calls, client.ObjectKey)
		want string
	}{
		"release is gone": {
			func(_ context.Context, o *calls, app client.ObjectKey) { o.keep(app, map[string]bool{"2": true}) },
			"question of 1",
		},
		"claim is lost": {
			func(_ context.Context, o *calls, app client.ObjectKey) { o.leave(app) },
			"effect of 1, effect of 2, question of 1, question of 2",
		},
		"another is looked": {func(_ context.Context, o *calls, _ client.ObjectKey) { o.leave(client.ObjectKey{Name: "other"}) }, ""},
		"the process ends": {func(ctx context.Context, o *calls, _ client.ObjectKey) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_ = o.run(ctx)
		}, "effect of 1, effect of 2, question of 1, question of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &calls{}
				var mu sync.Mutex
				ended := map[string]bool{}
				var app client.ObjectKey
				for _, release := range []string{"1", "2"} {
					for _, q := range []question{{what: "effect", effect: true}, {what: "question"}} {
						turn := stepOf(o, release)
						app = turn.app
						_, _ = ask(t.Context(), turn, q, func(ctx context.Context) (int, error) {
							<-ctx.Done()
							mu.Lock()
							defer mu.Unlock()
							if errors.Is(ctx.Err(), context.Canceled) {
								ended[q.what+" of "+release] = true
							}
							return 0, ctx.Err()
						})
					}
				}
				tt.end(t.Context(), o, app)
				synctest.Wait()
				mu.Lock()
				got := strings.Join(sorted(ended), ", ")
				mu.Unlock()
				if got != tt.want {
					t.Errorf("cancelled were %q, want %q", got, tt.want)
				}
				o.leave(app)
				synctest.Wait()
			})
		})
	}
}

func sorted(set map[string]bool) []string {
	var all []string
	for _, s := range []string{"effect of 1", "effect of 2", "question of 1", "question of 2"} {
		if set[s] {
			all = append(all, s)
		}
	}
	return all
}

// No act blocks a look: every call outside the cluster runs in the background. A client may be
// passed on, but is called only within a function given to ask, or in one that only such a
// function calls.
func TestOutwardCallsRunBesideTheLook(t *testing.T) {
	t.Parallel()
	beside := map[string]bool{"buildPlan.begin": true, "stopping.do": true}
	outward := map[string]bool{
		"Source": true, "Builds": true, "Store": true, "source": true, "builds": true, "store": true,
		"Google": true, "google": true, "registry": true, "URLMaps": true, "urlMaps": true, "remote": true,
	}
	files, err := filepath.Glob("*.go")
	check(t, err)
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		check(t, err)
		packages := map[string]bool{}
		for _, i := range file.Imports {
			packages[path.Base(strings.Trim(i.Path.Value, `"`))] = true
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil && (beside[receiver(f)+"."+f.Name.Name] || receiver(f) == "remembering" || receiver(f) == "ownSource") {
				continue
			}
			var within []ast.Node
			ast.Inspect(f, func(n ast.Node) bool {
				if n == nil {
					within = within[:len(within)-1]
					return true
				}
				within = append(within, n)
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				method, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || method.Sel.Name == "CloneURL" || method.Sel.Name == "As" || !outward[lastName(method.X)] {
					return true
				}
				if name, ok := method.X.(*ast.Ident); ok && packages[name.Name] {
					return true
				}
				seen++
				for _, outer := range within {
					if _, ok := outer.(*ast.FuncLit); ok {
						return true
					}
				}
				t.Errorf("%s: %s.%s is called by the look itself: call it in a function given to ask", set.Position(n.Pos()), lastName(method.X),
					method.Sel.Name)
				return true
			})
		}
	}
	if seen < 8 {
		t.Errorf("only %d calls were found", seen)
	}
}

func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	return lastName(x)
}

func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.CallExpr: // a.source()
		return lastName(x.Fun)
	}
	return ""
}
