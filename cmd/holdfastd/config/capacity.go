package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// Loads is where the daemon learns what sites and neighbors carry, for the
// estimate of what is left after a withdrawal.
type Loads struct {
	Push    bool
	Silence time.Duration // after that a figure is not known any more
	Queries []health.LoadQuery
}

type loadsPart struct {
	Push        bool        `yaml:"push"`
	SilentAfter string      `yaml:"silent_after"`
	Prometheus  []loadEntry `yaml:"prometheus"`
}

type loadEntry struct {
	URL       string `yaml:"url"`
	Sites     string `yaml:"sites"`
	Neighbors string `yaml:"neighbors"`
	Every     string `yaml:"every"`
}

const (
	defaultLoadSilence = 2 * time.Minute
	defaultLoadEvery   = 30 * time.Second
)

func (j *judge) loads(p loadsPart) Loads {
	out := Loads{Push: p.Push, Silence: j.duration("health.loads.silent_after", p.SilentAfter, defaultLoadSilence, time.Second, time.Hour)}
	for i, q := range p.Prometheus {
		field := fmt.Sprintf("health.loads.prometheus[%d]", i)
		j.webAddress(field+".url", q.URL)
		if q.Sites == "" && q.Neighbors == "" {
			j.wrong(field, "asks for nothing", "give sites, neighbors or both: PromQL whose result carries the label site or neighbor, in bits per second")
		}
		out.Queries = append(out.Queries, health.LoadQuery{Sites: q.Sites, Neighbors: q.Neighbors,
			Prometheus: health.Prometheus{URL: q.URL, Interval: j.duration(field+".every", q.Every, defaultLoadEvery, time.Second, 10*time.Minute)}})
	}
	return out
}

// capacities are those of sites that tell theirs.
func (j *judge) capacities(entries []siteEntry) map[string]float64 {
	out := map[string]float64{}
	for i, s := range entries {
		if s.Capacity != "" {
			out[s.Name] = j.bits(fmt.Sprintf("bgp.sites[%d].capacity", i), s.Capacity)
		}
	}
	return out
}

// bits reads bits per second, e.g. 400G; 0 where nothing is told.
func (j *judge) bits(field, text string) float64 {
	if text == "" {
		return 0
	}
	number, unit := text, 1.0
	if i := strings.IndexByte("kMGT", text[len(text)-1]); i >= 0 {
		number = text[:len(text)-1]
		unit = []float64{1e3, 1e6, 1e9, 1e12}[i]
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n*unit >= 1 && n*unit <= 1e18) {
		j.wrong(field, fmt.Sprintf("%q is no capacity", text), "bits per second, e.g. 400G")
		return 0
	}
	return n * unit
}
