package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

type healthPart struct {
	Push         bool              `yaml:"push"`
	Classes      []string          `yaml:"classes"`
	SilentAfter  string            `yaml:"silent_after"`
	Compare      string            `yaml:"compare_with"`
	AccountError *float64          `yaml:"account_errors"`
	CohortError  *float64          `yaml:"cohort_errors"`
	Drop         *float64          `yaml:"drop"`
	Prometheus   []prometheusEntry `yaml:"prometheus"`
	Probes       []probeEntry      `yaml:"probes"`
	Loads        loadsPart         `yaml:"loads"`
}

type prometheusEntry struct {
	URL      string `yaml:"url"`
	Requests string `yaml:"requests"`
	Errors   string `yaml:"errors"`
	Every    string `yaml:"every"`
}

type probeEntry struct {
	Account string `yaml:"account_id"`
	Site    string `yaml:"site"`
	Service string `yaml:"service"`
	HTTP    string `yaml:"http"`
	TCP     string `yaml:"tcp"`
	Every   string `yaml:"every"`
}

type edgePart struct {
	Quorum      *float64          `yaml:"quorum"`
	SilentAfter string            `yaml:"silent_after"`
	Drain       string            `yaml:"drain"`
	Readiness   map[string]string `yaml:"readiness"`
}

// Health is where rollouts learn whether they do harm. Without a source every
// class of change runs on soak alone.
type Health struct {
	Push       bool
	Classes    []string // of change that the sources speak for; empty if there is no source
	Thresholds health.Thresholds
	ByClass    map[string]health.Thresholds
	Sources    []health.Source
	Loads      Loads
}

// Defaults of health and edge machines.
const (
	defaultSourceEvery = 10 * time.Second
	defaultSilence     = time.Minute
	defaultCompare     = 5 * time.Minute
	defaultEdgeSilence = 15 * time.Minute
	defaultEdgeDrain   = 30 * time.Second
)

func (j *judge) resolveRollout(c *Config, d document) {
	for _, p := range d.Rollout.Lint() {
		j.wrong("rollout."+p.Field, p.Why, p.Next)
	}
	var unmonitored map[string]bool
	c.Rollout, c.Health.ByClass, unmonitored = d.Rollout.Program()
	j.resolveHealth(c, d.Health, unmonitored)
	j.resolveEdge(c, d.Edge)
}

func (j *judge) resolveHealth(c *Config, h healthPart, unmonitored map[string]bool) {
	c.Health.Push = h.Push
	c.Health.Thresholds = health.Thresholds{
		AccountErrors: j.share("health.account_errors", h.AccountError, 0.05),
		CohortErrors:  j.share("health.cohort_errors", h.CohortError, 0.01),
		Drop:          j.share("health.drop", h.Drop, 0.5),
		Silence:       j.duration("health.silent_after", h.SilentAfter, defaultSilence, time.Second, time.Hour),
		Before:        j.duration("health.compare_with", h.Compare, defaultCompare, 10*time.Second, 10*time.Minute),
	}
	for i, p := range h.Prometheus {
		field := fmt.Sprintf("health.prometheus[%d]", i)
		j.webAddress(field+".url", p.URL)
		if p.Requests == "" || p.Errors == "" {
			j.wrong(field, "requests and errors are both needed", "two PromQL queries whose results carry account_id, site and service")
		}
		c.Health.Sources = append(c.Health.Sources, health.Prometheus{URL: p.URL, Requests: p.Requests, Errors: p.Errors,
			Interval: j.duration(field+".every", p.Every, defaultSourceEvery, time.Second, time.Minute)})
	}
	for i, p := range h.Probes {
		c.Health.Sources = append(c.Health.Sources, j.probe(fmt.Sprintf("health.probes[%d]", i), p))
	}
	j.healthClasses(c, h, unmonitored)
	c.Health.Loads = j.loads(h.Loads)
}

func (j *judge) healthClasses(c *Config, h healthPart, unmonitored map[string]bool) {
	all := []string{string(rollout.Removal), string(rollout.Neighbor), string(rollout.Announce)}
	for i, class := range h.Classes {
		if !slices.Contains(all, class) {
			j.wrong(fmt.Sprintf("health.classes[%d]", i), fmt.Sprintf("%q is no class of change", class), "use removal, neighbor or announce")
		}
	}
	if !h.Push && len(c.Health.Sources) == 0 {
		if h.Classes != nil {
			j.wrong("health.classes", "there is no source to speak for them", "set push, prometheus or probes")
		}
		return
	}
	speak := h.Classes
	if speak == nil {
		speak = all
	}
	for _, class := range speak {
		if !unmonitored[class] {
			c.Health.Classes = append(c.Health.Classes, class)
		}
	}
}

func (j *judge) probe(field string, p probeEntry) health.Source {
	key := health.Sample{Account: p.Account, Site: p.Site, Service: p.Service}
	every := j.duration(field+".every", p.Every, defaultSourceEvery, time.Second, time.Minute)
	if p.Account == "" || p.Site == "" || p.Service == "" {
		j.wrong(field, "account_id, site and service are needed", "they say whose service the probe speaks for")
	}
	if (p.HTTP == "") == (p.TCP == "") {
		j.wrong(field, "one of http and tcp is needed, and only one", "")
	}
	if p.HTTP != "" {
		j.webAddress(field+".http", p.HTTP)
		return health.HTTPProbe{Key: key, URL: p.HTTP, Interval: every}
	}
	if p.TCP != "" {
		j.listen(field+".tcp", p.TCP)
	}
	return health.TCPProbe{Key: key, Address: p.TCP, Interval: every}
}

func (j *judge) webAddress(field, s string) {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		j.wrong(field, fmt.Sprintf("%q is no http or https URL", s), "e.g. http://127.0.0.1:9090")
	}
}

// share is a number above 0 and at most 1.
func (j *judge) share(field string, v *float64, or float64) float64 {
	if v == nil {
		return or
	}
	if !(*v > 0 && *v <= 1) {
		j.wrong(field, fmt.Sprintf("%v is no share", *v), fmt.Sprintf("above 0 and at most 1; leave it out for %v", or))
	}
	return *v
}

func (j *judge) resolveEdge(c *Config, e edgePart) {
	c.Edge = edge.Settings{
		Quorum:    j.share("edge.quorum", e.Quorum, 0.9),
		Silent:    j.duration("edge.silent_after", e.SilentAfter, defaultEdgeSilence, time.Second, 24*time.Hour),
		Drain:     j.duration("edge.drain", e.Drain, defaultEdgeDrain, time.Second, 24*time.Hour),
		Readiness: map[string]edge.Readiness{},
	}
	for service, source := range e.Readiness {
		switch r := edge.Readiness(source); r {
		case edge.Agents, edge.Probe, edge.Prometheus, edge.None:
			c.Edge.Readiness[service] = r
		default:
			j.wrong("edge.readiness."+service, fmt.Sprintf("%q is no source of readiness", source), "use agents, probe, prometheus or none")
		}
	}
}
