package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// fromEnvironment sets every flag that is not on the command line from its environment
// variable: --github-url is TURNOUT_GITHUB_URL.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := getenv(name)
		if f.Changed || value == "" || err != nil {
			return
		}
		if setErr := flags.Set(f.Name, value); setErr != nil {
			err = fmt.Errorf("variable %s: %w", name, setErr)
		}
	})
	return err
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "TURNOUT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
