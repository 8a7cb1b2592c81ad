// Command openapi cuts GitHub's own API descriptions down to what this project uses.
//
// The inputs are the JSON files of the npm packages @octokit/openapi (REST) and @octokit/openapi-webhooks (webhook
// payloads); the output is a gzipped JSON document with the wanted operations or payloads and every component they
// reach. Examples, prose and GitHub's own extensions are dropped: they weigh most and check nothing.
//
//	openapi -in api.github.com.json -keep operations.txt -out rest.json.gz
//	openapi -in webhooks.json -webhooks -keep webhooks.txt -out webhooks.json.gz
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// run reads the flags, cuts, and reports the sizes on stdout.
func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("openapi", flag.ContinueOnError)
	in := flags.String("in", "", "GitHub's description, JSON")
	out := flags.String("out", "", "the cut description to write, gzipped JSON")
	keep := flags.String("keep", "", "what to keep, one a line: METHOD PATH, or with -webhooks a webhook's name")
	webhooks := flags.Bool("webhooks", false, "the description is of webhooks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *in == "" || *out == "" || *keep == "" {
		return errors.New("-in, -keep and -out are needed")
	}
	doc, err := readDocument(*in)
	if err != nil {
		return err
	}
	wanted, err := readLines(*keep)
	if err != nil {
		return err
	}
	section := "paths"
	if *webhooks {
		section = "webhooks"
	}
	small, err := cut(doc, section, wanted)
	if err != nil {
		return fmt.Errorf("%s: %w", *in, err)
	}
	plain, packed, err := write(*out, small)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %d %s, %d bytes, %d gzipped\n", *out, len(wanted), section, plain, packed)
	return err
}

func readDocument(path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // limits such as 2^63-1 must survive
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil {
		return nil, fmt.Errorf("reading %s as JSON: %w", path, err)
	}
	return doc, nil
}

// readLines returns the lines of a file without comments and empty ones.
func readLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// write stores doc gzipped and returns its two sizes in bytes. The same input gives the same bytes: no time stamp, keys sorted.
func write(path string, doc map[string]any) (plain, packed int, err error) {
	data, err := json.Marshal(doc)
	if err != nil {
		return 0, 0, fmt.Errorf("encoding the cut description: %w", err)
	}
	var buffer bytes.Buffer
	zipper, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return 0, 0, err
	}
	if _, err := zipper.Write(data); err != nil {
		return 0, 0, err
	}
	if err := zipper.Close(); err != nil {
		return 0, 0, err
	}
	return len(data), buffer.Len(), os.WriteFile(path, buffer.Bytes(), 0o644)
}
