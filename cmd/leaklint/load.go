package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
	"github.com/holdfast-bgp/holdfast/policy/report"
)

// declarationFile is looked for in the working directory.
const declarationFile = ".leaklint.yaml"

// tree is where configurations are read from: the file system or a commit.
type tree interface {
	// list names the files below a path, or the path itself when it is a file.
	list(root string) ([]string, error)
	read(name string) ([]byte, error)
}

// disk is a tree below a directory; empty for the working directory.
type disk struct{ root string }

func (d disk) read(name string) ([]byte, error) { return os.ReadFile(d.at(name)) }

func (d disk) at(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.root, name)
}

func (d disk) list(root string) ([]string, error) {
	info, err := os.Stat(d.at(root))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{root}, nil
	}
	var out []string
	err = filepath.WalkDir(d.at(root), func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && p != d.at(root) && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.Type().IsRegular() && !strings.HasPrefix(e.Name(), "."):
			rel, err := filepath.Rel(d.at(root), p)
			if err != nil {
				return err
			}
			out = append(out, filepath.Join(root, rel))
		}
		return nil
	})
	return out, err
}

// loaded is what was read for one run.
type loaded struct {
	configs []*device.Config
	files   []report.File
	notes   []string
	broken  bool // something that was asked for could not be judged
	sources map[string][]byte
	digests map[string][sha256.Size]byte // of a file and all it includes

	compared bool // with another state
}

// loader reads and parses.
type loader struct {
	tree     tree
	declared *lint.Declaration
	dialect  string // forced on every file
	progress func(done, all int)
	included map[string]bool // files that another one includes
}

// load reads the paths. Files of a directory that are no configuration are left
// out and said; a file that was named has to be one.
func (l *loader) load(paths []string) (*loaded, error) {
	out := &loaded{sources: map[string][]byte{}}
	type job struct {
		name  string
		named bool
	}
	var jobs []job
	for _, p := range paths {
		names, err := l.tree.list(p)
		if err != nil {
			return nil, unreadable(err)
		}
		named := len(names) == 1 && names[0] == p
		for _, n := range names {
			if !slices.ContainsFunc(jobs, func(j job) bool { return j.name == n }) {
				jobs = append(jobs, job{n, named})
			}
		}
	}
	for i, j := range jobs {
		if l.progress != nil {
			l.progress(i, len(jobs))
		}
		if l.declared.Excluded(filepath.ToSlash(j.name)) {
			out.notes = append(out.notes, j.name+": excluded by the declaration")
			continue
		}
		data, err := l.tree.read(j.name)
		if err != nil {
			return nil, unreadable(err)
		}
		l.one(out, j.name, data, j.named)
	}
	l.dropIncluded(out)
	if len(out.configs) == 0 && !out.broken {
		return nil, unreadable(fmt.Errorf("%s: no configuration found", strings.Join(paths, ", ")))
	}
	return out, nil
}

// one parses a file, or says why not.
func (l *loader) one(out *loaded, name string, data []byte, named bool) {
	f := report.File{Path: name, Lines: strings.Split(string(data), "\n")}
	dialect, version, problem := l.dialectOf(name, data)
	if problem != "" {
		switch {
		case named || otherSystem(data) != "":
			out.broken = true
			f.Problem = problem
			out.files = append(out.files, f)
		default:
			out.notes = append(out.notes, name+": not a router configuration, left out")
		}
		return
	}
	digest := sha256.New()
	digest.Write(data)
	cfg, _ := frontend.Parse(dialect, device.Input{
		Path: name, Data: data, Version: version,
		Open: func(inc string) ([]byte, error) {
			text, err := l.include(name, inc)
			fmt.Fprintf(digest, "\x00%s\x00%v\x00", inc, err)
			digest.Write(text)
			return text, err
		},
		Glob: func(pattern string) ([]string, error) {
			names, err := l.glob(name, pattern)
			fmt.Fprintf(digest, "\x00%s\x00%q\x00%v\x00", pattern, names, err)
			return names, err
		},
	})
	f.Dialect = cfg.Dialect
	f.Understood, f.Relevant = cfg.Understood()
	if cfg.Broken {
		f.Problem = "the device would not load it"
		out.broken = true
	}
	out.files = append(out.files, f)
	out.configs = append(out.configs, cfg)
	out.sources[name] = data
	if out.digests == nil {
		out.digests = map[string][sha256.Size]byte{}
	}
	out.digests[name] = [sha256.Size]byte(digest.Sum(nil))
}

func (l *loader) dialectOf(name string, data []byte) (d device.Dialect, version, problem string) {
	pinned, version := l.declared.Pinned(filepath.ToSlash(name))
	if l.dialect != "" {
		pinned = l.dialect
	}
	if pinned != "" {
		d, ok := frontend.ByName(pinned)
		if !ok {
			return "", "", fmt.Sprintf("dialect %q has no front end", pinned)
		}
		return d, version, ""
	}
	if d, ok := frontend.Recognise(name, data); ok {
		return d, version, ""
	}
	if other := otherSystem(data); other != "" {
		return "", "", "it looks like " + other + ", which leaklint does not read yet"
	}
	return "", "", "its language was not recognised; pin it with --dialect or dialects:"
}

// include looks beside the including file, then in the declared roots.
func (l *loader) include(from, name string) ([]byte, error) {
	at := []string{name}
	if !path.IsAbs(name) {
		at = []string{filepath.Join(filepath.Dir(from), name)}
		for _, root := range l.declared.Include {
			at = append(at, filepath.Join(root, name))
		}
	}
	var data []byte
	var err error
	for _, file := range at {
		if data, err = l.tree.read(file); err == nil {
			if l.included == nil {
				l.included = map[string]bool{}
			}
			l.included[filepath.Clean(file)] = filepath.Clean(file) != filepath.Clean(from)
			return data, nil
		}
	}
	return nil, err
}

// glob lists the files of one directory that a pattern names, in order. A
// directory without such files is empty, one that is not there is an error.
func (l *loader) glob(from, pattern string) ([]string, error) {
	dir, base := path.Split(pattern)
	if strings.ContainsAny(dir, "*?[") {
		return nil, fmt.Errorf("a pattern in the name of a directory is not followed")
	}
	at := dir
	if !path.IsAbs(pattern) {
		at = filepath.Join(filepath.Dir(from), dir)
	}
	names, err := l.tree.list(filepath.Clean(at))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range names {
		if ok, err := path.Match(base, filepath.Base(n)); err == nil && ok && filepath.Dir(n) == filepath.Clean(at) {
			out = append(out, dir+filepath.Base(n))
		}
	}
	slices.Sort(out)
	return out, nil
}

// dropIncluded leaves out what was judged as a part of another file.
func (l *loader) dropIncluded(out *loaded) {
	part := func(name string) bool { return l.included[filepath.Clean(name)] }
	out.configs = slices.DeleteFunc(out.configs, func(c *device.Config) bool { return len(c.Files) > 0 && part(c.Files[0].Path) })
	out.files = slices.DeleteFunc(out.files, func(f report.File) bool { return part(f.Path) })
	out.broken = slices.ContainsFunc(out.files, func(f report.File) bool { return f.Problem != "" })
}

// otherSystem names systems whose files must never pass unnoticed.
func otherSystem(data []byte) string {
	for _, s := range []struct{ name, mark string }{
		{"IOS XR", "route-policy "},
		{"SR OS", "configure {\n    router"}, {"SR OS", "policy-options\n"}, {"SR OS", "action-type accept"}, {"RouterOS", "/routing filter"}, {"RouterOS", "/routing bgp"},
		{"VyOS", "protocols bgp"}, {"a template (render it first)", "{% "},
	} {
		if bytes.Contains(data, []byte(s.mark)) {
			return s.name
		}
	}
	return ""
}

// declaration reads the named file, or .leaklint.yaml when it is there.
func declaration(t tree, name string) (*lint.Declaration, error) {
	file := name
	if file == "" {
		file = declarationFile
	}
	data, err := t.read(file)
	if errors.Is(err, fs.ErrNotExist) && name == "" {
		return lint.None(), nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	d, err := lint.Declare(data)
	if err != nil {
		return nil, usageOf(fmt.Errorf("%s: %w", file, err))
	}
	err = d.ReadPrefixes(func(name string) ([]byte, error) {
		if path.IsAbs(name) {
			return t.read(name)
		}
		return t.read(filepath.Join(filepath.Dir(file), name))
	})
	if err != nil {
		return nil, usageOf(fmt.Errorf("%s: %w", file, err))
	}
	return d, nil
}
