// Package way goes from start to end by a table, a field, an interface and a method
// of what is embedded.
package way

type step struct{ act func(*walker) }

type walker struct {
	onward func()
	base
}

type base struct{}

func start() {
	for _, s := range steps() {
		s.act(&walker{onward: byField})
	}
}

func steps() []step { return table }

var table = []step{{act: (*walker).byTable}, {(*walker).aside}}

func (w *walker) byTable() { w.onward() }

func (w *walker) aside() {}

func byField() {
	var g goer = gone{}
	func() { g.byInterface() }()
}
