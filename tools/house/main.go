// Command house measures how the code is laid out, per package: how many files use each other in
// a cycle, how many methods the largest type has, how long functions are, and how many lines are
// too long. It also follows the list "From a webhook to the Ingress patch" of
// docs/architecture.md through the code.
//
//	house                  the table, for people
//	house -o json          the same, for programs
//	house -why deployer    the names that tie the files of a package together
//
// It reads the named modules, by default "." and "sandbox". It leaves out tests and generated
// code, except for long lines of tests.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
}

// run reads the flags, measures, and prints.
func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("house", flag.ContinueOnError)
	root := flags.String("C", ".", "directory of the repository")
	output := flags.String("o", "markdown", "markdown or json")
	why := flags.String("why", "", "a package, by its directory: print what ties its files together, and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	modules := flags.Args()
	if len(modules) == 0 {
		modules = []string{".", "sandbox"}
	}
	h, err := load(*root, modules)
	if err != nil {
		return err
	}
	if *why != "" {
		return printTies(stdout, h, *why)
	}
	report, err := measure(h)
	if err != nil {
		return err
	}
	switch *output {
	case "markdown":
		return printMarkdown(stdout, report)
	case "json":
		return printJSON(stdout, report)
	}
	return errors.New("-o is markdown or json")
}
