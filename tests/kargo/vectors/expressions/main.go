// Evaluates expressions as expr does: rows of standard input are {expression, env, headers, params}, a JSON value a
// line, or the same with a template; each is answered by a line {value} or {stage, error}. Values are tagged, since JSON tells no int from a float.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
)

type row struct {
	Template   string              `json:"template"`
	Expression string              `json:"expression"`
	Env        map[string]any      `json:"env"`
	Headers    map[string][]string `json:"headers"`
	Params     map[string]string   `json:"params"`
}

func main() {
	decoder := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer output.Flush()
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for {
		var one row
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(answer(one)); err != nil {
			log.Fatal(err)
		}
	}
}

func answer(one row) map[string]any {
	if one.Template != "" {
		value, err := evaluated(one.Template, environment(one))
		if err != nil {
			return map[string]any{"stage": "template", "error": first(err)}
		}
		return map[string]any{"value": tagged(value)}
	}
	program, err := expr.Compile(one.Expression)
	if err != nil {
		return map[string]any{"stage": "compile", "error": first(err)}
	}
	value, err := expr.Run(program, environment(one))
	if err != nil {
		return map[string]any{"stage": "run", "error": first(err)}
	}
	return map[string]any{"value": tagged(value)}
}

func first(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Stands for Kargo's own, which have tables of their own: what counts here is how expr calls them.
func normalize(text string) string {
	return "<" + text + ">"
}

func environment(one row) map[string]any {
	values := func(name string) []string { return one.Headers[strings.ToLower(name)] }
	env := map[string]any{"normalizeGit": normalize, "normalizeImage": normalize, "normalizeChart": normalize}
	for name, value := range one.Env {
		env[name] = value
	}
	request, ok := env["request"].(map[string]any)
	if !ok {
		return env
	}
	request["headers"] = values
	request["header"] = func(name string) string {
		if found := values(name); len(found) > 0 {
			return found[0]
		}
		return ""
	}
	request["params"] = func(name string) string { return one.Params[name] }
	return env
}

func tagged(value any) any {
	switch v := value.(type) {
	case nil, bool, string:
		return v
	case int:
		return map[string]any{"int": strconv.Itoa(v)}
	case float64:
		return map[string]any{"float": strconv.FormatFloat(v, 'g', -1, 64)}
	case time.Time:
		_, offset := v.Zone()
		return map[string]any{"time": fmt.Sprint(v.Unix(), " ", v.Nanosecond(), " ", offset)}
	case time.Duration:
		return map[string]any{"duration": strconv.FormatInt(int64(v), 10)}
	}
	reflected := reflect.ValueOf(value)
	switch reflected.Kind() {
	case reflect.Slice, reflect.Array:
		items := []any{}
		for i := range reflected.Len() {
			items = append(items, tagged(reflected.Index(i).Interface()))
		}
		return map[string]any{reflected.Type().String(): items, "nil": reflected.Kind() == reflect.Slice && reflected.IsNil()}
	case reflect.Map:
		pairs := [][2]any{}
		for _, key := range reflected.MapKeys() {
			pairs = append(pairs, [2]any{tagged(key.Interface()), tagged(reflected.MapIndex(key).Interface())})
		}
		sort.Slice(pairs, func(i, j int) bool { return fmt.Sprint(pairs[i][0]) < fmt.Sprint(pairs[j][0]) })
		return map[string]any{reflected.Type().String(): pairs}
	case reflect.Func:
		return map[string]any{"func": ""}
	}
	return map[string]any{"other": reflected.Type().String()}
}
