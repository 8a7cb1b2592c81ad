package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/bot/command"
)

func contractCommand() *cobra.Command {
	var b byHand
	cmd := b.command("contract APP [retry | done REASON]", "Remove from the database what only older versions need, and follow it",
		"Run spec.migrations.contract with the live version, once nothing runs an older one. From\n"+
			"its start there is no way back to one. After a contract that failed, or whose outcome\n"+
			"nobody knows, retry runs it again, and done declares it done without running anything.",
		ofApplication("turnout contract my-python-app", 2),
		func(args []string) (func(*request) plan, error) {
			typed := command.Command{Verb: command.Contract}
			if len(args) > 1 {
				typed.Mode = args[1]
			}
			if len(args) > 2 {
				typed.Reason = args[2]
			}
			switch {
			case typed.Mode != "" && typed.Mode != command.ContractRetry && typed.Mode != command.ContractDone:
				return nil, fmt.Errorf("%q: type retry, or done with a reason", typed.Mode)
			case typed.Mode == command.ContractRetry && typed.Reason != "":
				return nil, fmt.Errorf("%q is one argument too many: retry has no reason", typed.Reason)
			}
			return func(r *request) plan { return r.contract(typed) }, nil
		})
	cmd.ValidArgsFunction = b.complete(false)
	return cmd
}

// contract runs the live version's contract, or declares it done.
func (r *request) contract(typed command.Command) plan {
	p := r.judge(typed, "")
	if p.Code == command.CodeContractUnderWay {
		p.release = r.kept(p.Args.Release)
	}
	return p
}
