package main

import (
	"slices"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
)

// downAfter is how long every session of a site has to be gone before the site
// counts as down.
const downAfter = 20 * time.Second

// siteWatch knows which sites are unexpectedly down: they had a session since
// the daemon started, and have had none for a while. While two or more are,
// removals elsewhere hold. A site that never came up is no surprise.
type siteWatch struct {
	mu    sync.Mutex
	sites map[string]siteSeen
}

type siteSeen struct {
	up   bool      // ever
	last time.Time // with a session
}

// look takes in the neighbors as they are.
func (w *siteWatch) look(all []bgp.NeighborStatus, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sites == nil {
		w.sites = map[string]siteSeen{}
	}
	known := map[string]bool{}
	for _, n := range all {
		known[n.Site] = true
		if n.State == bgp.Established {
			w.sites[n.Site] = siteSeen{up: true, last: at}
		}
	}
	for site := range w.sites {
		if !known[site] {
			delete(w.sites, site) // it is configured no more
		}
	}
}

// down lists the sites that are, sorted.
func (w *siteWatch) down() []string { return w.downAt(time.Now()) }

func (w *siteWatch) downAt(now time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for site, s := range w.sites {
		if s.up && now.Sub(s.last) >= downAfter {
			out = append(out, site)
		}
	}
	slices.Sort(out)
	return out
}
