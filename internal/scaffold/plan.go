package scaffold

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Options are what a person may say. Each is a flag of the same name; what can be found out
// may be left out.
type Options struct {
	// Name of the application.
	Name string
	// Repository as owner/name, and the branch whose pushes are releases.
	Repository, Branch string
	// Project that builds.
	Project string
	// Image as the build names it, without a tag.
	Image string
	// URL where users reach the application.
	URL string
	// Deployment, Service, Ingress or Route (an HTTPRoute), and Container that run it.
	Deployment, Service, Ingress, Route, Container string
	// App is what a server of Python loads, as MODULE:NAME.
	App string
	// New: the application does not run yet, whatever the namespace has.
	New bool
	// Namespace it is in.
	Namespace string
	// Out is the folder to write into, below the repository's folder.
	Out string
	// Cluster is what the context of the kubeconfig is called.
	Cluster string
}

// Plan is what is to be written, and what to do with it.
type Plan struct {
	// Name of the application.
	Name  string
	Files []File
	// Found is what the files rest on.
	Found []string
	// LookAt is what a person should know or decide.
	LookAt []string
	Steps  []Step
}

// File is one file.
type File struct {
	// Path below the repository's folder, with slashes.
	Path string
	Text string
}

// Step is something to do, in the order in which users notice nothing.
type Step struct {
	// Do says what to do, and Why what users see meanwhile.
	Do, Why  string
	Commands []v1alpha1.ShellCommand
}
