package cloudbuild

import "mvdan.cc/sh/v3/syntax"

const (
	// maxShells is how deep shells in shells are followed, and maxShellBytes how
	// much of one file is parsed in all: a text in $() is met at every level.
	maxShells     = 8
	maxShellBytes = 2 << 20
	// maxScript and maxOpen bound what a parser, which calls itself at every
	// bracket, is given.
	maxScript = 64 << 10
	maxOpen   = 4_000
)

const (
	// maxCalls is how many calls of functions and turns of loops are followed in a
	// step, and maxWords how many words a command may come to by them.
	maxCalls = 200
	maxWords = 2_000
)

// sight is what can be seen of the commands that a step runs.
type sight struct {
	changes string   // the first that changes a cluster, in words; or ""
	serves  string   // one that opens a cluster to the commands after it
	waits   string   // one that waits for a change
	looks   bool     // one reads a cluster
	builds  bool     // one builds an image
	loads   bool     // one leaves an image in the worker's Docker
	others  []string // further ones, of which nothing is known
	unseen  []string // those that may change a cluster, as far as can be seen

	own       []string // last segments of the images that the file lists
	suspect   bool     // the step's id speaks of deploying
	speaks    bool     // what it runs does
	functions map[string]*function
	aliases   map[string]string
	files     map[string]string // that steps write from their own text
	shells    int
	calls     int  // of functions, and turns of loops, followed so far
	budget    *int // of all steps: bytes that may still be looked at

	pusher pusher
	scope  scope
}

// pusher notes what commands push.
type pusher struct {
	at       int // the step's index
	commands int // seen so far
	pushes   []push
}

// scope is what a shell knows where it stands.
type scope struct {
	// args are the arguments that a function or a script gets; nil: not known.
	args []word
	// perhaps counts what leaves it open whether a command runs, and since is what
	// it was when the function that is followed was called.
	perhaps, since int
	// vars are the variables of the step's shell whose value is known; nil: none is
	// looked up. One that is unsure has more than one value.
	vars   values
	unsure map[string]bool
	// told is called with every word that a command gets and every value of a variable.
	// Optional.
	told func(text string)
}

// word is a word of a command. What a shell would replace in it is as written.
type word struct {
	text string
	// known: nothing in it is replaced.
	known bool
}

// function is one that a script defines. Its commands are looked at where it is
// called, with the arguments that it gets there.
type function struct {
	body *syntax.Stmt
	text string // of the script
	// locals are the variables that are its own.
	locals         []string
	called, active bool
}

// push is a command that puts an image into a registry itself, so that Cloud Build
// does not know of it.
type push struct {
	// step is the index in Build.Steps.
	step int
	// command numbers the commands of the build: the names that one gives are one
	// image's.
	command int
	// by is the command in words.
	by string
	// ref is the image's name as the command has it; "" where it names none. What
	// only the step knows is as it is written.
	ref string
	// all: every tag of ref is pushed.
	all bool
	// outside: it is built outside of the worker's Docker, and is not found there.
	outside bool
	// add is what a person adds for one more name, with %s for the name.
	add string
}

// cannotSee notes what may change a cluster, or not.
func (s *sight) cannotSee(what string) { s.unseen = note(s.unseen, what) }

// note adds what is not there yet; a message has room for few.
func note(list []string, what string) []string {
	if len(list) >= 8 {
		return list
	}
	return union(list, []string{what})
}

func with[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}
