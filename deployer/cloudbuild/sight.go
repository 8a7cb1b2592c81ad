package cloudbuild

import "mvdan.cc/sh/v3/syntax"

const (
	// maxShells is how deep nested shells are followed. maxShellBytes is how much of one file is
	// parsed in total: text in $() is parsed at every level.
	maxShells     = 8
	maxShellBytes = 2 << 20
	// maxScript and maxOpen bound the parser's input: the parser recurses at every bracket.
	maxScript = 64 << 10
	maxOpen   = 4_000
)

const (
	// maxCalls is how many function calls and loop turns are followed in a step,
	// and maxWords how many words a command may then have.
	maxCalls = 200
	maxWords = 2_000
)

// sight is what is visible of the commands that a step runs.
type sight struct {
	changes string   // the first command that changes a cluster, in words; or ""
	serves  string   // a command that gives later commands access to a cluster
	waits   string   // a command that waits for a change
	looks   bool     // a command reads a cluster
	builds  bool     // a command builds an image
	loads   bool     // a command leaves an image in the worker's Docker
	others  []string // further commands, which Turnout does not know
	unseen  []string // commands that may change a cluster

	own       []string // last segments of the images that the file lists
	suspect   bool     // the step's id suggests a deployment
	speaks    bool     // its commands suggest one
	functions map[string]*function
	aliases   map[string]string
	files     map[string]string // written by steps from their own text
	shells    int
	calls     int  // function calls and loop turns followed so far
	budget    *int // of all steps: bytes left to parse

	pusher pusher
	scope  scope
}

// pusher records what commands push.
type pusher struct {
	at       int // the step's index
	commands int // seen so far
	pushes   []push
}

// scope is a shell's state at a point of its script.
type scope struct {
	// args are the arguments of a function or a script; nil: not known.
	args []word
	// perhaps counts the enclosing nodes that may keep a command from running; since is its value
	// at the call of the current function.
	perhaps, since int
	// vars are the step's shell variables with a known value; nil: variables are not looked up. A
	// variable in unsure has several possible values.
	vars   values
	unsure map[string]bool
	// told, if set, is called with every word of a command and every value of a variable.
	told func(text string)
}

// word is a word of a command. Text that a shell would replace stays as written.
type word struct {
	text string
	// known: nothing in it is replaced.
	known bool
}

// function is a function of a script. Its commands are looked at where it is called, with the
// arguments of that call.
type function struct {
	body *syntax.Stmt
	text string // of the script
	// locals are its own variables.
	locals         []string
	called, active bool
}

// push is a command that puts an image into a registry itself, so Cloud Build does
// not report it.
type push struct {
	// step is the index in Build.Steps.
	step int
	// command numbers the build's commands: one command pushes one image, possibly under several
	// names.
	command int
	// by is the command in words.
	by string
	// ref is the image's name in the command; "" if it names none. Parts that only the step knows
	// stay as written.
	ref string
	// all: every tag of ref is pushed.
	all bool
	// outside: the image is built outside the worker's Docker, and is not found there.
	outside bool
	// add is what a person adds to push another name; %s is the name.
	add string
}

// cannotSee records something that may change a cluster.
func (s *sight) cannotSee(what string) { s.unseen = note(s.unseen, what) }

// note adds a new entry; a message has room for a few.
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
