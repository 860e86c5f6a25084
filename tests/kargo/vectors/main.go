// Writes the tables that the tests of receivers/kargo compare with: what the Go libraries behind Kargo's rules answer.
//
// One file a library, one JSON value a line, so that a change shows in a diff.
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"
)

func main() {
	folder := os.Args[1]
	write(folder, "versions.jsonl", versions())
	write(folder, "constraints.jsonl", constraints())
	write(folder, "references.jsonl", references())
	write(folder, "urls.jsonl", urls())
	write(folder, "joined.jsonl", joined())
	write(folder, "git.jsonl", gitURLs())
	write(folder, "printable.jsonl", printable())
	write(folder, "lower.jsonl", lower())
	write(folder, "patterns.jsonl", patterns())
	write(folder, "globs.jsonl", globs())
	write(folder, "directories.jsonl", directories())
}

func write(folder, name string, rows []any) {
	file, err := os.Create(filepath.Join(folder, name))
	if err != nil {
		log.Fatal(err)
	}
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			log.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
	log.Printf("%s: %d rows", name, len(rows))
}
