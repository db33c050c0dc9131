package config

import (
	"fmt"
	"log/slog"
	"net/url"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Speak is the configuration of holdfastd speak: a speaker alone, with no API
// and no database.
type Speak struct {
	Config // Environment, DataDir, AdminSocket, Metrics, BGP and LogLevel; the rest is zero
	Name   string
	Feed   Feed
}

// Feed is where snapshots come from: a directory or a daemon, never both.
type Feed struct {
	Directory  string // a daemon's snapshot directory, or a copy of it
	ReportFile string // where a directory's speaker writes what it has; empty for nowhere
	URL        string // https://HOST[:PORT] of a daemon's API
	CAFile     string // certificates that the daemon's is signed by; empty is the system's
	TokenFile  string
	Keys       []string // pinned: who may sign heads and permits
}

type speakDocument struct {
	Environment string       `yaml:"environment"`
	Name        string       `yaml:"name"`
	DataDir     string       `yaml:"data_dir"`
	Admin       adminSection `yaml:"admin"`
	Metrics     listenOnly   `yaml:"metrics"`
	Feed        feedSection  `yaml:"feed"`
	BGP         bgpSection   `yaml:"bgp"`
	Log         logSection   `yaml:"log"`
}

type feedSection struct {
	Directory  string   `yaml:"directory"`
	ReportFile string   `yaml:"report_file"`
	URL        string   `yaml:"url"`
	CAFile     string   `yaml:"ca_file"`
	TokenFile  string   `yaml:"token_file"`
	Keys       []string `yaml:"keys"`
}

// LoadSpeak reads and judges the file of a speaker alone.
func LoadSpeak(file string) (*Speak, []Notice, error) {
	src, base, err := read(file)
	if err != nil {
		return nil, nil, err
	}
	return ParseSpeak(file, base, src)
}

// ParseSpeak judges src; base is the directory that relative paths start from.
func ParseSpeak(file, base string, src []byte) (*Speak, []Notice, error) {
	d, j, err := judged[speakDocument](file, base, src)
	if err != nil {
		return nil, nil, err
	}
	c := j.resolveSpeak(d)
	if len(j.problems) > 0 {
		return nil, nil, j.joined()
	}
	return c, j.notices, nil
}

func (j *judge) resolveSpeak(d speakDocument) *Speak {
	c := &Speak{Config: Config{File: j.file}}
	c.Environment = j.name("environment", d.Environment, "name the environment, e.g. production; there is no default, so that two never mix")
	c.Name = j.name("name", d.Name, "name this speaker, e.g. speaker-a; its reports are filed under it")
	c.DataDir = j.path("data_dir", d.DataDir, true)
	c.AdminSocket = j.socket(d.Admin.Socket)
	if d.Metrics.Listen != "" {
		c.Metrics = j.listen("metrics.listen", d.Metrics.Listen)
	}
	c.LogLevel = slog.LevelInfo
	if d.Log.Level != "" {
		c.LogLevel = j.level(d.Log.Level)
	}
	c.Feed = j.feed(d.Feed)
	j.resolveBGP(&c.Config, d.BGP)
	if len(c.Controlled()) > 0 {
		j.wrong("bgp.neighbors", "a speaker alone keeps no desired state that a customer could signal (receive: control)", "give the session to holdfastd serve")
	}
	return c
}

func (j *judge) feed(f feedSection) Feed {
	out := Feed{
		Directory: j.path("feed.directory", f.Directory, false), ReportFile: j.path("feed.report_file", f.ReportFile, false),
		URL: f.URL, CAFile: j.path("feed.ca_file", f.CAFile, false), TokenFile: j.path("feed.token_file", f.TokenFile, false), Keys: f.Keys,
	}
	switch {
	case f.Directory == "" && f.URL == "":
		j.wrong("feed", "names no source", "give feed.directory or feed.url")
	case f.Directory != "" && f.URL != "":
		j.wrong("feed.url", "there is a directory too, and the two may disagree", "keep one of the two")
	case f.URL != "":
		j.feedURL(f)
	case f.TokenFile != "" || f.CAFile != "":
		j.wrong("feed.directory", "needs no token and no CA", "leave feed.token_file and feed.ca_file out")
	}
	if len(f.Keys) == 0 {
		j.wrong("feed.keys", "is missing or empty", "pin the daemon's key: the line in signing.pub of its snapshot directory")
	} else if _, err := snapshots.Verifiers(f.Keys); err != nil {
		j.wrong("feed.keys", err.Error(), "copy the line in signing.pub of the daemon's snapshot directory")
	}
	return out
}

func (j *judge) feedURL(f feedSection) {
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		j.wrong("feed.url", fmt.Sprintf("%q is not https://HOST[:PORT]", f.URL), "snapshots are pulled over TLS alone")
	}
	if f.TokenFile == "" {
		j.wrong("feed.token_file", "is missing", "make a token with: holdfast token create --role speaker")
	}
	if f.ReportFile != "" {
		j.wrong("feed.report_file", "goes with feed.directory", "leave it out: reports are posted to the daemon")
	}
}
