package analysis

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

const (
	// passCost bounds the cost of one evaluation, in CEL's own units: an expression over two
	// numbers takes a few dozen.
	passCost = 10_000
	// passDepth bounds how deep an expression is nested.
	passDepth = 32
)

// Pass is an expression that decides whether a value is good.
type Pass struct {
	text    string
	program cel.Program
}

// environment declares the variables of expressions.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(cel.Variable("value", cel.DoubleType), cel.Variable("other", cel.DoubleType),
		cel.CrossTypeNumericComparisons(true), cel.ParserRecursionLimit(passDepth), cel.ClearMacros())
})

// CompilePass checks an expression. The error explains the fault to its author.
func CompilePass(text string) (*Pass, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("it is a %s, and must be true or false, such as value < 0.01", ast.OutputType())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(passCost))
	if err != nil {
		return nil, fmt.Errorf("prepare it: %w", err)
	}
	return &Pass{text: text, program: program}, nil
}

// explain describes the first fault, in one line.
func explain(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return issues.Err()
	}
	first, hint := all[0], ""
	if strings.Contains(first.Message, "no matching overload") {
		hint = "; write numbers with a point, such as 2.0"
	}
	return fmt.Errorf("column %d: %s%s", first.Location.Column()+1, first.Message, hint)
}

// errUnknown: the result depends on an unknown value.
var errUnknown = errors.New("it needs other, the value of the other version")

// Holds evaluates the expression; other is nil if unknown. The error is errUnknown if the result
// depends on it.
func (p *Pass) Holds(value float64, other *float64) (bool, error) {
	vars := map[string]any{"value": value}
	var unknown []*cel.AttributePatternType
	if other != nil {
		vars["other"] = *other
	} else {
		unknown = append(unknown, cel.AttributePattern("other"))
	}
	activation, err := cel.PartialVars(vars, unknown...)
	if err != nil {
		return false, fmt.Errorf("evaluate %s: %w", p.text, err)
	}
	result, _, err := p.program.Eval(activation)
	switch {
	case err != nil:
		return false, fmt.Errorf("evaluate %s: %w", p.text, err)
	case types.IsUnknown(result):
		return false, errUnknown
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %s: it is no truth value", p.text)
	}
	return holds, nil
}
