package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"go.yaml.in/yaml/v3"
)

var closing = map[string]string{"${{": "}}", "${%": "%}"}

// What a template gives: our own rendering of Kargo's rule over expr and Go's libraries.
func evaluated(template string, env map[string]any) (any, error) {
	if !strings.Contains(template, "${{") && !strings.Contains(template, "${%") {
		return template, nil
	}
	said, err := assembled(template, env)
	if err != nil {
		return nil, err
	}
	return typed(said), nil
}

func assembled(rest string, env map[string]any) (string, error) {
	said := ""
	for {
		at := strings.Index(rest, "${{")
		if other := strings.Index(rest, "${%"); at < 0 || (other >= 0 && other < at) {
			at = other
		}
		if at < 0 {
			return said + rest, nil
		}
		expression, after, closed := strings.Cut(rest[at+3:], closing[rest[at:at+3]])
		if !closed {
			return "", fmt.Errorf("unclosed")
		}
		said += rest[:at]
		if expression == "" {
			return said + after, nil
		}
		text, err := single(expression, env)
		if err != nil {
			return "", err
		}
		said, rest = said+text, after
	}
}

func single(expression string, env map[string]any) (string, error) {
	quoting := new(func(any) string)
	program, err := expr.Compile(expression,
		expr.Function("quote", func(a ...any) (any, error) {
			if text, ok := a[0].(string); ok {
				return strconv.Quote(text), nil
			}
			return inQuotes(json.Marshal(a[0]))
		}, quoting),
		expr.Function("unsafeQuote", func(a ...any) (any, error) { return inQuotes(json.Marshal(a[0])) }, quoting),
		expr.Function("asJSON", func(a ...any) (any, error) {
			text, err := json.MarshalIndent(a[0], "", "  ")
			return inQuotes(append(text, '\n'), err)
		}, quoting),
		expr.Function("asYAML", func(a ...any) (any, error) { return inQuotes(yaml.Marshal(a[0])) }, quoting))
	if err != nil {
		return "", err
	}
	value, err := expr.Run(program, env)
	if err != nil {
		return "", err
	}
	if text, ok := value.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

func inQuotes(text []byte, err error) (any, error) {
	return `"` + string(text) + `"`, err
}

func typed(said string) any {
	inner, newline := strings.CutSuffix(said, "\n")
	if len(inner) > 1 && inner[0] == '"' && inner[len(inner)-1] == '"' {
		return inner[1:len(inner)-1] + map[bool]string{true: "\n"}[newline]
	}
	if number, err := strconv.ParseFloat(inner, 64); err == nil {
		return number
	}
	if flag, err := strconv.ParseBool(inner); err == nil {
		return flag
	}
	var value any
	if json.Unmarshal([]byte(inner), &value) == nil {
		return value
	}
	return said
}
