package main

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// A row: text, the URL written anew, the same without user information and with its decoded path trimmed of one slash and one ".git"; nulls if it does not parse.
func urls() []any {
	rows := []any{}
	for _, text := range urlTexts() {
		parsed, err := url.Parse(text)
		if err != nil {
			rows = append(rows, []any{text, nil, nil})
			continue
		}
		whole := parsed.String()
		parsed.User = nil
		trim(parsed)
		rows = append(rows, []any{text, whole, parsed.String()})
	}
	return rows
}

// A row: base, elements, the result; null if the base does not parse.
func joined() []any {
	rows := []any{}
	for _, base := range []string{
		"", "/", "/webhook", "/webhook/", "//webhook", "/a//b/", "/a/../b", "/a/./b/..", "/..", "/we%20bhook", "/we bhook", "/a%2Fb", "webhook", "webhook/", "..", "*", "/%zz", "/a?b#c", "/a:b", "a:b",
		"https://k.example.com", "https://k.example.com/", "https://k.example.com/webhook", "https://k.example.com/webhook/", "https://u:p@k.example.com:8443/x/?q=1#f", "https://k.example.com//x//", "https://k.example.com/a/../..", "https://[::1]:8443/x", "://", "https://k.example.com/é", "https://k.exa mple.com",
	} {
		for _, elements := range [][]string{{"github", "0f"}, {"azure"}, {"a/", "b/"}, {"..", "x"}, {""}, {"x y", "é"}} {
			result, err := url.JoinPath(base, elements...)
			if err != nil {
				rows = append(rows, []any{base, elements, nil})
				continue
			}
			rows = append(rows, []any{base, elements, result})
		}
	}
	return rows
}

// A row: text, its normal form. The rule is Kargo's; this is our own rendering of it over Go's library.
func gitURLs() []any {
	rows := []any{}
	for _, text := range gitTexts() {
		rows = append(rows, []any{text, normaliseGit(text)})
	}
	return rows
}

var scp = regexp.MustCompile(`^(?:([\w-]+)@)?([\w-]+(?:\.[\w-]+)*)(?::(.*))?$`)

func normaliseGit(original string) string {
	text := sanitise(strings.ToLower(original))
	web := strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
	if web || strings.HasPrefix(text, "ssh://") {
		parsed, err := url.Parse(text)
		if err != nil || len(parsed.Query()) > 0 {
			return original
		}
		if web {
			parsed.User = nil
		}
		trim(parsed)
		return parsed.String()
	}
	groups := scp.FindStringSubmatch(text)
	if groups == nil {
		return original
	}
	path, err := url.Parse(groups[3])
	if err != nil {
		return original
	}
	trim(path)
	result := "ssh://"
	if groups[1] != "" {
		result += groups[1] + "@"
	}
	result += groups[2]
	if path.Path != "" {
		result += "/" + path.String()
	}
	return result
}

func trim(parsed *url.URL) {
	parsed.Path = strings.TrimSuffix(strings.TrimSuffix(parsed.Path, "/"), ".git")
}

func sanitise(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text))
}

// A row: the first and the last code point of a printable range.
func printable() []any {
	rows := []any{}
	first := rune(-1)
	for r := rune(0); r <= unicode.MaxRune+1; r++ {
		if r <= unicode.MaxRune && unicode.IsPrint(r) {
			if first < 0 {
				first = r
			}
		} else if first >= 0 {
			rows = append(rows, []int{int(first), int(r) - 1})
			first = -1
		}
	}
	return rows
}

// One row: every character that has another lower case, and these, as two texts of the same length.
func lower() []any {
	var from, to strings.Builder
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.ToLower(r) != r {
			from.WriteRune(r)
			to.WriteRune(unicode.ToLower(r))
		}
	}
	return []any{[]string{from.String(), to.String()}}
}

func urlTexts() []string {
	texts := []string{}
	authorities := []string{
		"", "host", "HOST.example.com", "host:8080", "host:", "host:x", "host:1:2", "ho st", "ho%20st", "ho%41st", "ho%C3%A9st", "hoést", "ho%zzst", "h\"o<s>t", "h'o(s)t", "h{st", "h^st", "h`st", "h|st", "h\\st", "h[st]", "h*st", "h_s~t", "[::1]", "[::1]:80",
		"[::1]:", "[::1]:x", "[::1]x", "[::1", "::1]", "[fe80::1%25en0]", "[fe80::1%25]", "[fe80::1%25e%2fn]", "[fe80::1%en0]", "[10.0.0.1]", "[::ffff:10.0.0.1]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]", "[::1:2:3:4:5:6:7:8]",
		"[]", "[g::1]", "[::01.2.3.4]", "[::1.2.3]", "[12345::]", "[1::2::3]", "[:1:2:3:4:5:6:7]", "[FE80::1]", "a[::1]", "user@host", "user:pass@host", "user:@host", ":pass@host", ":@host", "@host", "u%40r:p%3A@host", "us er@host", "us%20er@host", "u%zz@host", "u:%zz@host", "u@v@host", "u/v@host", "ü@host", "u!$&'()*+,;=~@host", "u<@host",
		"user@[::1]:22", "user@", "%", "a%", "a%2", "..", "-", "host:80:", "1.2.3.4", "ho+st", "ho=st;x,y&z$", "ho!st",
	}
	for _, authority := range authorities {
		for _, scheme := range []string{"https://", "ssh://", "//"} {
			texts = append(texts, scheme+authority, scheme+authority+"/a/b.git")
		}
	}
	paths := []string{
		"", "/", "//", "/a", "/a/", "/a//", "/a.git", "/a.git/", "/.git", "/a/.git", "/a.git.git", "/a b", "/a%20b", "/é", "/%C3%A9", "/%c3%a9.git", "/%C3%A9.git", "/a%2Fb", "/a%2fb.git", "/a%2Eb", "/%zz", "/%", "/%4", "/a+b", "/a@b", "/a:b", "/a;b", "/a,b", "/a=b&c$d", "/a!b", "/a'b", "/a(b)", "/a*b", "/a[b]", "/a[b].git",
		"/a!b.git", "/a\"b", "/a<b>", "/a\\b", "/a^b", "/a`b", "/a{b}", "/a|b", "/~a", "/a_b-c.d", "/a/../b", "/./a", "?", "/?", "/a?", "/a?x", "/a?x=1", "/a??", "/a?b?", "/a?%zz", "/a?;", "/a?a;b", "/a?&", "/a?=", "/a?é b", "/a.git?", "#", "/a#", "/a#f", "/a#f g", "/a#é", "/a#%zz", "/a#%41", "/a#a/b?c", "/a#f#g", "/a#!$&()*+,;=:@'", "/a#<f>", "/a#[f]", "/a#%5Bf%5D", "/a?x#f", "/a.git#f", "/%00", "/a%0Ab",
		"/a\x7f", "/a\tb", "/a#\x01", "/%FF", "/%ff.git", "/a%2520b",
	}
	for _, path := range paths {
		texts = append(texts, "https://host"+path, path, "x"+path)
	}
	return append(texts,
		"*", "a:b", "a:b/c", "a:/b", "a:///b", "a://b", "A+b-c.9:x", "1a:b", "-a:b", ":a", "a b:c", "é:x", "./a:b", "a/b:c", "a%3Ab", "a%3Ab.git", "mailto:x@y", "http:", "http:/", "http:/a", "http:a", "https:///a", "https:////a", "///a", "////a", "//", "//?", "?x", "#x", "host", "host/a", ".git", "a.git", "/a/b", " a", "a ", "https ://a", "https://a b", "http//x", "https://h?q", "https://h#f", "https://h?q=1#f", "a?b:c", "a#b:c", "a:?", "a:#", "a:?b", "a:b?c#d",
	)
}

func gitTexts() []string {
	texts := []string{}
	for _, prefix := range []string{"https://", "HTTP://", "ssh://Git@", "ssh://git:pw@", "https://u:p@", "", "us-er_1@", "user.name@", "ftp://", "a@b@"} {
		for _, host := range []string{"GitHub.com", "my_host", "-bad-.x", "a..b", "a.", "localhost:8443", "[::1]:22", "exa mple.com", "", "hést.com", "İ.com", "ΑΣ.com"} {
			for _, path := range []string{"", "/", ":", "/a/B.git", "/a/b.git/", ":a/b.git", ":/a/b/", ":a:b", ":?x", ":a?x=1", "/a?x", "/a?%zz", "/a?;x", "/a?", ":a b/é.git", "/a b/é", "/%C3%A9.git", ":a%3Ab.git", ":.git", ":#f", ":a#f", "/\u200bx\ufeff", ":a\u00a0b", "://x/y", ":%zz"} {
				texts = append(texts, prefix+host+path)
			}
		}
	}
	return texts
}
