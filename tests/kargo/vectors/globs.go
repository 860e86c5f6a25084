package main

import (
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Paths as Git has them, which none of the globs can be told from a path that ends in a slash by.
var globPaths = []string{
	"a", "b", "ab", "abc", "a.b", "a/b", "a/b/c", "a/b/c/d", "b/a", "ab/c", "a/.b", ".a", "a.md", "docs/a.md", "docs/x/y.md", "docs", "docs/x", "docsx/y",
	"src/main.go", "src/x/main_test.go", "go.mod", "a b", "é", "é/b", "日/本", "[a]", "{a}", "a,b", "*", "a*b", "?", "\\", "a\\b", "-", "a-b", "]", "^", "!", "a+b", "a|b", "(a)", "$", ".", "x\ny", "a/ab/abc", "aXb/c", "a/a/a/a", "z",
}

// Parts of globs; every one, two and three of them are a glob.
var globParts = []string{"a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "{a,b}", "{a,b/c}", "{,a}", "\\*", ".", "**/", "/**"}

var globTexts = []string{
	"", "docs/**", "docs/**/*", "**/*.md", "*.md", "**/docs/**", "src/**/*.go", "src/**/*_test.go", "src/{main,x/main_test}.go", "go.{mod,sum}", "{docs,src}/**", "{docs/**,src/**}", "a/**/c", "a/**/b/**", "**/**/c", "**/a/**/c", "docs*/**", "do*", "do*/*",
	"[", "[]", "[]a]", "[!]", "[!]a]", "[a", "[a-", "[a-]", "[-a]", "[a-z-9]", "[z-a]", "[!z-a]", "[\\]]", "[\\]", "[^^]", "[!!]", "[a\\-z]", "[é-ü]", "[[]", "[a]]", "[\\a-\\c]", "[]-a]", "[a,b]", "[{]", "[}]", "{[}],a}", "{[,],a}",
	"{", "}", "{a", "a}", "{}", "{a}", "{,}", "{a,}", "{a,{b,ab}}", "{a,{b,ab}}/c", "{a,b}{,c}", "{a,b", "{a,b}}", "{{a,b}", "\\{a\\}", "{\\,,a}", "{a\\,b,z}", "{a,**}/c", "{**/,}c", "{*,**}/b", "a{/b,/b/c}",
	"\\", "a\\", "\\a", "\\\\", "a\\\\b", "\\[a\\]", "\\?", "\\é", "é", "?/b", "日/?", "a***", "a****", "***", "***/b", "a**/b", "**a", "a**", "**b/c", "a/***", "a/**/", "**/", "*/**", "**/*", "*/*", "*/*/*", "*/*/**", "a*b", "a?b", "a*/c", "*X*", "*X*/*", "*.*", "**.md", "docs**", "docs/**.md", "a+b", "a|b", "(a)", "$", ".", "x?y", "x*y", "*\n*", "a b", "a/*/*/a", "a/**/a", "A", "*/../*", "./a", "/a", "a/", "//",
}

// A row: glob, and for each path "1" if it matches. The first row is the list of paths.
func globs() []any {
	rows := []any{globPaths}
	for _, glob := range append(globTexts, combinations()...) {
		if !doublestar.ValidatePattern(glob) {
			rows = append(rows, []any{glob, nil})
			continue
		}
		rows = append(rows, []any{glob, answers(globPaths, func(path string) bool {
			return doublestar.MatchUnvalidated(glob, path)
		})})
	}
	return rows
}

func combinations() []string {
	var found []string
	for _, one := range globParts {
		found = append(found, one)
		for _, two := range globParts {
			found = append(found, one+two)
			for _, three := range globParts {
				found = append(found, one+two+three)
			}
		}
	}
	return found
}

var directoryPaths = []string{
	"", "a", "b", "a/b", "a/b/c", "ab", "ab/c", "a//b", "a/./b", "a/../b", "a/", "./a", "../a", "..", ".", "/", "/a", "/a/b", "//a", "a/x..y", "a..b", "a..b/c", "a..b/x..y", "..a", "a/..b", "é/b", "*", "a/*", "configs/x", "configurations/x", "a\n/b", "a\\b", "/..", "/../a", "../../a", "../x/y",
}

// A row: directory, and for each path "1" if it is below, without two dots in what is left of it.
func directories() []any {
	rows := []any{directoryPaths}
	for _, directory := range append(directoryPaths, "configs", "configs/", "./", "a/.", "///", "b/..", "...") {
		rows = append(rows, []any{directory, answers(directoryPaths, func(path string) bool {
			relative, err := filepath.Rel(directory, path)
			return err == nil && !strings.Contains(relative, "..")
		})})
	}
	return rows
}

func answers(texts []string, matches func(string) bool) string {
	var found strings.Builder
	for _, text := range texts {
		if matches(text) {
			found.WriteByte('1')
		} else {
			found.WriteByte('0')
		}
	}
	return found.String()
}
