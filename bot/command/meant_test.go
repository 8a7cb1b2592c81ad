package command_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

// several are two applications released from main, one of them in two namespaces, and one
// released from next. Each has another live commit.
func several() []v1alpha1.BlueGreen {
	var apps []v1alpha1.BlueGreen
	for _, a := range []struct{ namespace, name, branch, live string }{
		{"shop", "shop", "main", "1"}, {"staging", "shop", "main", "2"}, {"shop", "abc1234", "main", "3"}, {"shop", "docs", "next", "4"},
	} {
		app := bottest.Shop()
		app.Namespace, app.Name, app.Spec.Branch = a.namespace, a.name, a.branch
		app.Status.Live = &v1alpha1.Version{Commit: bottest.Hash(a.live)}
		apps = append(apps, app)
	}
	return apps
}

func TestWordOfACommandIsAnApplicationOrACommit(t *testing.T) {
	type c = command.Command
	numbered := bottest.Shop()
	numbered.Name = "70"
	for name, tt := range map[string]struct{ typed, want c }{
		"a lock of an application": {
			c{Verb: command.Lock, Reason: "docs until noon"},
			c{Verb: command.Lock, Application: "docs", Reason: "until noon"},
		},
		"a lock of one in a namespace": {
			c{Verb: command.Lock, Reason: "staging/shop x"},
			c{Verb: command.Lock, Application: "staging/shop", Reason: "x"},
		},
		"a lock of all, with a reason": {c{Verb: command.Lock, Reason: "until noon"}, c{Verb: command.Lock, Reason: "until noon"}},
		"a lock that names one already": {
			c{Verb: command.Lock, Application: "shop", Reason: "docs"},
			c{Verb: command.Lock, Application: "shop", Reason: "docs"},
		},
		"another verb's reason":         {c{Verb: command.Unlock, Reason: "docs x"}, c{Verb: command.Unlock, Reason: "docs x"}},
		"a name that could be a hash":   {c{Verb: command.Promote, Commit: "abc1234"}, c{Verb: command.Promote, Application: "abc1234"}},
		"a weight":                      {c{Verb: command.Promote, Weight: 100}, c{Verb: command.Promote, Weight: 100}},
		"a name that could be a weight": {c{Verb: command.Promote, Weight: 70}, c{Verb: command.Promote, Application: "70"}},
		"a hash":                        {c{Verb: command.Promote, Commit: "abc1235"}, c{Verb: command.Promote, Commit: "abc1235"}},
		"the two the wrong way round": {
			c{Verb: command.Promote, Application: "def5678", Commit: "abc1234"}, c{Verb: command.Promote, Application: "abc1234", Commit: "def5678"},
		},
		"both, and the name is known": {
			c{Verb: command.Promote, Application: "docs", Commit: "abc1234"}, c{Verb: command.Promote, Application: "docs", Commit: "abc1234"},
		},
		"an unknown name that is no hash": {
			c{Verb: command.Promote, Application: "shpo", Commit: "abc1234"}, c{Verb: command.Promote, Application: "shpo", Commit: "abc1234"},
		},
		"a name alone": {c{Verb: command.Promote, Application: "docs"}, c{Verb: command.Promote, Application: "docs"}},
	} {
		if got := tt.typed.Settle(append(several(), numbered)); got != tt.want {
			t.Errorf("%s: %+v resolves to %+v, want %+v", name, tt.typed, got, tt.want)
		}
	}
}

func TestCommandMeansTheApplicationThatItNamesOrOfItsBranch(t *testing.T) {
	type c = command.Command
	main, next, other := command.PullRequest{Base: "main"}, command.PullRequest{Base: "next"}, command.PullRequest{Base: "other"}
	const all = "shop/shop staging/shop shop/abc1234 shop/docs"
	for name, tt := range map[string]struct {
		command c
		pr      command.PullRequest
		want    string // the applications
		code    command.Code
		choices int
	}{
		"one by its name":                    {c{Verb: command.Promote, Application: "docs"}, next, "shop/docs", "", 0},
		"one of another branch, by its name": {c{Verb: command.Promote, Application: "docs"}, main, "shop/docs", "", 0},
		"one by its namespace":               {c{Verb: command.Promote, Application: "staging/shop"}, main, "staging/shop", "", 0},
		"one of two of a name":               {c{Verb: command.Promote, Application: "shop"}, main, "", command.CodeAmbiguousName, 2},
		"one that there is not":              {c{Verb: command.Promote, Application: "shpo"}, main, "", command.CodeUnknownWord, 4},
		"one that there is not, with a commit": {
			c{Verb: command.Promote, Application: "shpo", Commit: "1111111"},
			main, "",
			command.CodeUnknownApplication, 4,
		},
		"a lock of one that there is not":     {c{Verb: command.Unlock, Application: "shpo"}, main, "", command.CodeUnknownApplication, 4},
		"the only one of the branch":          {c{Verb: command.Promote}, next, "shop/docs", "", 0},
		"one of three of the branch":          {c{Verb: command.Promote}, main, "", command.CodeAmbiguous, 3},
		"a branch that none releases":         {c{Verb: command.Promote}, other, "", command.CodeOtherBranches, 4},
		"a rollback there":                    {c{Verb: command.Rollback}, other, "", command.CodeAmbiguous, 4},
		"a rollback of a commit that is live": {c{Verb: command.Rollback, Commit: "2222222"}, other, "staging/shop", "", 0},
		"a rollback of it on another branch":  {c{Verb: command.Rollback, Commit: "4444444"}, main, "shop/docs", "", 0},
		"a rollback of one that is not":       {c{Verb: command.Rollback, Commit: "9999999"}, next, "shop/docs", "", 0},
		"a promote of a commit that is live":  {c{Verb: command.Promote, Commit: "4444444"}, main, "", command.CodeAmbiguous, 3},
		"what only reads means all":           {c{Verb: command.Status}, other, all, "", 0},
		"what only reads, of a name":          {c{Verb: command.Help, Application: "shop"}, other, "shop/shop staging/shop", "", 0},
		"a lock is no matter of branches":     {c{Verb: command.Lock}, next, "", command.CodeAmbiguous, 4},
	} {
		apps, f := command.Meant(several(), tt.pr, tt.command)
		var got []string
		for _, app := range apps {
			got = append(got, app.Namespace+"/"+app.Name)
		}
		if strings.Join(got, " ") != tt.want || (f == nil) != (tt.code == "") {
			t.Errorf("%s: meant are %q, answered %+v", name, got, f)
		}
		if f != nil && (f.Code != tt.code || len(f.Args.Choices) != tt.choices) {
			t.Errorf("%s: answered %s with %d choices, want %s with %d", name, f.Code, len(f.Args.Choices), tt.code, tt.choices)
		}
	}
	one := several()[:1]
	if apps, f := command.Meant(one, other, c{Verb: command.Promote}); f != nil || len(apps) != 1 {
		t.Errorf("the only application is not chosen: %v, %+v", apps, f)
	}
	if apps, f := command.Meant(nil, other, c{Verb: command.Promote}); f != nil || len(apps) != 0 {
		t.Errorf("without applications: %v, %+v", apps, f)
	}
}

// Each suggested command means one application only.
func TestChoicesMeanOneApplicationEach(t *testing.T) {
	_, f := command.Meant(several(), command.PullRequest{Base: "main"}, command.Command{Verb: command.Promote, Reason: "x"})
	if f == nil {
		t.Fatal("nothing is asked")
	}
	var offered []string
	for _, choice := range f.Args.Choices {
		offered = append(offered, choice.Command.String())
	}
	if got := strings.Join(offered, ", "); got != "/promote abc1234, /promote shop/shop, /promote staging/shop" {
		t.Errorf("offered are %s", got)
	}
	for i, want := range []string{"shop/shop", "staging/shop", "abc1234", "docs"} {
		if got := command.NameAmong(&several()[i], several()); got != want {
			t.Errorf("the text that selects %s is %q", want, got)
		}
	}
	if got := command.NameAmong(&several()[0], several()[:1]); got != "" {
		t.Errorf("the text that selects the only application is %q", got)
	}
}
