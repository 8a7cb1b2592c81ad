// Measures how the code is laid out: a module of its own, so that the type
// checker's helpers stay out of the product's dependencies.
module github.com/turnout-dev/turnout/tools/house

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/tools v0.52.0
)

require (
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
