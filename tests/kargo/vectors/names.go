package main

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// A row: text, registry, repository; nulls if it is not a reference.
func references() []any {
	rows := []any{}
	for _, text := range referenceTexts() {
		reference, err := name.ParseReference(text, name.WeakValidation)
		if err != nil {
			rows = append(rows, []any{text, nil, nil})
			continue
		}
		context := reference.Context()
		rows = append(rows, []any{text, context.RegistryStr(), context.RepositoryStr()})
	}
	return rows
}

func referenceTexts() []string {
	hex := strings.Repeat("a", 64)
	registries := []string{
		"", "docker.io/", "index.docker.io/", "registry-1.docker.io/", "docker.io:443/", "ghcr.io/", "localhost/", "localhost:5000/", "10.0.0.1:5000/", "[::1]/", "[::1]:5000/",
		"[::1]:x/", "[fe80::1%25en0]/", "[::zz]/", "[10.0.0.1]/", "a:b/", "a:b:c/", "host:/", ":/", ":80/", "./", "../", "my_reg.io/", "reg!.io/", "reg%41.io/", "réq.io/", "re\"g.io/",
		"u@ghcr.io/", "ghcr.io?/", "ghcr.io#/", "https://", "oci://", "http:/", "//", "/", "GHCR.io/", "reg io.com/", "a.b\\c/", "a.{b}/", "[x.y/", "x.y]/", "1.2.3.4:99999/",
	}
	repositories := []string{
		"", "a", "ab", "foo", "library/foo", "library/library/foo", "foo/bar", "foo//bar", "foo/", "foo+bar", "foo~bar", "foo bar", "fo%20o", "foo_bar/b-a.z", "Foo", "fööx", "-a", "..", "_/", "library/",
		strings.Repeat("a", 255), strings.Repeat("a", 256), "localhost", "ghcr.io", "foo:", "foo@", "foo@bar",
	}
	suffixes := []string{
		"", ":1", ":v1.2-x_y", ":bad tag", ":+", ":" + strings.Repeat("t", 128), ":" + strings.Repeat("t", 129), ":a:b", "@sha256:" + hex, ":v1@sha256:" + hex, "@sha256:" + hex[1:], "@sha256:" + hex + "a",
		"@sha256:" + strings.ToUpper(hex), "@sha256:" + strings.Repeat("g", 64), "@md5:" + hex[:32], "@sha512:" + hex + hex, "@@sha256:" + hex, ":@sha256:" + hex, "@sha256:",
	}
	texts := []string{}
	for _, registry := range registries {
		for _, repository := range repositories {
			texts = append(texts, registry+repository)
		}
	}
	for _, base := range []string{"", "a", "ab", "foo", "library/foo", "ghcr.io/foo", "localhost:5000", "localhost/foo", "localhost:5000/foo", "docker.io/foo", "GHCR.io/Foo", "[::1]:5000/foo", "ghcr.io/fo o", "https://ghcr.io/foo"} {
		for _, suffix := range suffixes {
			texts = append(texts, base+suffix)
		}
	}
	return texts
}
