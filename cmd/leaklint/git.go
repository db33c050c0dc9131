package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// commit is a tree of a git revision, read with the git program.
type commit struct {
	hash   string
	prefix string // working directory below the top of the repository
}

// resolve finds a revision; it runs no hook and opens no connection.
func resolve(ref string) (*commit, error) {
	if strings.HasPrefix(ref, "-") {
		return nil, fmt.Errorf("revision %q: must not begin with -", ref)
	}
	hash, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return nil, fmt.Errorf("revision %q: not found here: %w", ref, err)
	}
	prefix, err := git("rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	return &commit{hash: strings.TrimSpace(string(hash)), prefix: strings.TrimSpace(string(prefix))}, nil
}

func git(args ...string) ([]byte, error) {
	cmd := exec.Command("git", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

func (c *commit) read(name string) ([]byte, error) {
	if filepath.IsAbs(name) {
		return nil, fmt.Errorf("%s: not part of the repository: %w", name, fs.ErrNotExist)
	}
	out, err := git("cat-file", "blob", c.hash+":"+c.prefix+filepath.ToSlash(filepath.Clean(name)))
	if err != nil {
		return nil, fmt.Errorf("%s in %.12s: %w: %w", name, c.hash, err, fs.ErrNotExist)
	}
	return out, nil
}

func (c *commit) list(root string) ([]string, error) {
	at := filepath.ToSlash(filepath.Clean(root))
	out, err := git("ls-tree", "-r", "-z", "--name-only", c.hash, "--", at)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range strings.Split(string(out), "\x00") {
		if n != "" && !strings.HasPrefix(filepath.Base(n), ".") {
			names = append(names, filepath.FromSlash(n))
		}
	}
	return names, nil
}
