package main

import (
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A row: text, parses, parses strictly (as Kargo does: without one leading v), rank among all that parse.
func versions() []any {
	texts := append(versionTexts(), oddVersions...)
	parsed := map[string]*semver.Version{}
	for _, text := range texts {
		if version, err := semver.NewVersion(text); err == nil {
			parsed[text] = version
		}
	}
	rows := []any{}
	for _, text := range texts {
		version, found := parsed[text]
		if !found {
			rows = append(rows, []any{text, false, false, -1})
			continue
		}
		_, strict := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
		rank := 0
		for _, other := range parsed {
			if other.LessThan(version) {
				rank++
			}
		}
		rows = append(rows, []any{text, true, strict == nil, rank})
	}
	return rows
}

// The first row is the list of versions. Every other: constraint, and for each version "1" or "0"; null if it is an error.
func constraints() []any {
	texts := versionTexts()
	versions := make([]*semver.Version, len(texts))
	for i, text := range texts {
		versions[i] = semver.MustParse(text)
	}
	rows := []any{texts}
	for _, text := range constraintTexts() {
		constraint, err := semver.NewConstraint(text)
		if err != nil {
			rows = append(rows, []any{text, nil})
			continue
		}
		var answers strings.Builder
		for _, version := range versions {
			if constraint.Check(version) {
				answers.WriteByte('1')
			} else {
				answers.WriteByte('0')
			}
		}
		rows = append(rows, []any{text, answers.String()})
	}
	return rows
}

func versionTexts() []string {
	texts := []string{}
	for _, core := range []string{"0.0.0", "0.0.3", "0.0.4", "0.2.3", "0.2.4", "0.3.0", "1.0.0", "1.2.2", "1.2.3", "1.2.4", "1.3.0", "2.0.0", "2.1.5", "10.0.0"} {
		for _, rest := range []string{"", "-0", "-rc.1", "+b5"} {
			texts = append(texts, core+rest)
		}
	}
	return append(texts,
		"1", "v1.2", "01.02.03", "1.2.3-alpha", "1.2.3-alpha.1", "1.2.3-alpha.beta", "1.2.3-beta", "1.2.3-beta.2",
		"1.2.3-beta.11", "1.2.3-rc.1+b", "1.2.3-1", "1.2.3-9", "1.2.3-10", "1.2.3-A", "1.2.3--", "1.2.3-a-b", "1.2.3-1a",
		"1.2.3-18446744073709551615", "1.2.3-18446744073709551616", "1.2.3-alpha.18446744073709551616", "1.2.3-alpha.2",
		"18446744073709551615.0.0", "0.0.18446744073709551615",
	)
}

var oddVersions = []string{
	"", "v", "V1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n", "1.2.3.4", "latest", "1.", ".1", "1..2", "1.2.", "vv1.2.3", "-1.0.0", "+1.0.0",
	"1.2.3-", "1.2.3+", "1.2.3-+b", "1.2.3-a..b", "1.2.3-a.", "1.2.3-.a", "1.2.3-01", "1.2.3-a.01", "1.2.3-00", "1.2.3-0a", "1.2.3+01",
	"1.2.3+a..b", "1.2.3+a+b", "1.2.3_b5", "1.2.3-ä", "1.2.3-a b", "1.2.x", "1,2", "1-rc", "1.2-rc.1", "v1-rc+b", "1234567", "20240131",
	"18446744073709551616", "18446744073709551616.0.0", "1.18446744073709551616", "1.2.18446744073709551616",
	"000000000000000000000000000000001.2.3", "0.0.00", "00.0.0", "1.02.3", "1.2.03", "v01.2.3", "v1.2.3", "v1", "sha-1234567", "main", "١.٢.٣",
	"1.2.3-SNAPSHOT", "1.2.3-20240131.1", "2024.01.31", "1e3", "0x10", "1_000", "１.2.3",
}

func constraintTexts() []string {
	texts := []string{}
	operators := []string{"", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"}
	operands := []string{
		"*", "x", "X", "0", "1", "0.0", "0.2", "1.2", "1.x", "1.2.x", "1.*.3", "x.2", "x.2.3", "0.0.0", "0.0.3", "0.2.3", "1.2.3", "v1.2.3", "1.2.3-0",
		"1.2.3-rc.1", "1.2-rc.1", "1-rc.1", "*-0", "1.x-0", "1.2.x-rc.1", "0.0-0", "0-0", "0.0.0-0", "1.2.3+b5", "2.0.0",
	}
	for _, operator := range operators {
		for _, operand := range operands {
			texts = append(texts, operator+operand)
		}
	}
	return append(texts, oddConstraints...)
}

var oddConstraints = []string{
	// lists, alternatives and ranges
	">=1.0.0 <2.0.0", ">=1.0.0, <2.0.0", ">=1.0.0,<2.0.0", ">=1.0.0 , <2.0.0", ">= 1.0.0 < 2.0.0", ">=1.0.0\t<2.0.0", ">=1.0.0\n<2.0.0",
	">=1.0.0\v<2.0.0", ">=1.0.0\u00a0<2.0.0", ">=1.0.0-0 <2.0.0", ">=1.0.0 <2.0.0-0", ">=1.0.0-0 !=1.2.3", "^1.2.3 || ^2.0.0", "^1.2.3||^2.0.0", "1 || 2 || 0.2",
	"^1.2.3-0 || ^2", "1.2.3 2.0.0", "1.2.3,2.0.0", "1.0 - 2.0", "1.0.0 - 2.0.0", "1 - 2", "1.0.0  -  2.0.0", "1.0 - 1.3 || 2.0 - 3", "1 - 2 || 1 - 2", "1 - 2 - 3",
	"1.0.0 - 2.0.0-rc.1", "1.0.0-rc.1 - 1.2.3", "v1 - v2", "x - 2", "1 - x", "^1 - 2", "1 - 2, <1.3", ">=1 1 - 2", "1 -2", "1- 2", "1-2", "1 - 2 !=1.2.3", "0 - 1 1 - 2",
	// spaces
	" 1.2.3", "1.2.3 ", " 1.2.3 ", "  ^ 1.2.3", "^  1.2.3", "^\t1.2.3", "= 1.2.3", "\n^1.2.3\n", "~ 1", "~> 1.2", "! = 1", "> = 1", "1. 2", "v 1",
	// errors and near errors
	"", " ", "||", "^1 ||", "^1 || ", "|| ^1", " || ", "1.2.3,", ",1.2.3", "1,,2", "1, ,2", "latest", "^", "==1.2.3", "=>=1", "><1", "1.2.3.4", "^1.2.3.4", "1.2.3-", "1.2.3+",
	"1.2.3-01", "1.2.3-rc..1", "1.2.3-rc.01", "~1.x.3-", "^v", "vv1", "V1", "^^1", "~^1", "!1", "!!=1", "1.2.3 - ", " - 1", "-", "1|2", "1|", "|", "|1", "x|", "x.|", "1.x.|", "1.x.9|", "1.|", "1.2.|", "1.2|3",
	"xx", "1.xx", "1.2.xx", "x1", "1x", "**", "*.*.*", "x.x.x", "X.x.*", "1.X.x", "1.*", "1.*.*", "*.1", "1.2.3 beta", "1.2.3-beta", "1.2.3_b5", "1.2.3 +b", "<1 || >2 || latest",
	"18446744073709551615", "18446744073709551616", "^18446744073709551615.0.0", "1.18446744073709551616", "1.x.18446744073709551616", "x.18446744073709551616", "01.02.03", "^01.2", "00",
	"é", "1.2.3é", "^١", "１", "1.2.3\x00", "^1;^2", "^1 and ^2", "[1.0,2.0)", "(1,2)", "1.0.0..2.0.0", "~=1.2", "<>1", "1.2.3 ||| 2", "1 ||| 2", "1 |||| 2", "1 | | 2", "1 || || 2", "1||2||", "*||", "* || latest",
	"v1.2.3-rc.1+b5", "1.2.3+b5 - 2.0.0+b6", ">=1.2.3-alpha <1.2.3-beta", ">1.2.3-alpha.1 <=1.2.3-beta.2", "!=1.2.3-rc.1", "!=1.2.3 !=1.2.4-0", ">=0.0.0-0", ">0-0", "<1-rc.1", "~1.2.3-beta.2", "^1.2.3-beta.2", "^0.0.3-rc.1", "~0.0.0-0",
}
