package plan

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Stage is one step of a rollout.
type Stage struct {
	Name    string        `json:"name"`
	Percent int           `json:"percent"` // of the change that has gone out by its end; 0 is test prefixes, or our own accounts
	Soak    time.Duration `json:"soak"`    // how long it is watched
}

// Names of the stages that choose by who is concerned and not by percentage.
const (
	StageTest       = "test"
	StageFirstParty = "first-party"
)

// canaryPercent is where the canaries end: beyond it every class of object in
// the change must have gone out in a stage before (HMD-07).
const canaryPercent = 10

// DefaultMaxChanges is the most changes of one generation (HMD-08).
const DefaultMaxChanges = 200

// Staging says how a change is cut into waves. The zero Staging has no stage:
// everything is one stage without a name, cut by DefaultMaxChanges only.
type Staging struct {
	Stages     []Stage
	MaxChanges int // of one wave; 0 is DefaultMaxChanges
	Test       []netip.Prefix
	// Canary says who may be in the stages of up to 10 %; nil is everybody.
	Canary func(Item) bool
}

// Wave is what goes out together.
type Wave struct {
	Stage   string        `json:"stage"`
	Percent int           `json:"percent"`
	Soak    time.Duration `json:"soak"`
	Items   []Item        `json:"items"`
}

// Ops is the number of changes in the wave.
func (w Wave) Ops() int {
	n := 0
	for _, it := range w.Items {
		n += it.Ops
	}
	return n
}

// Waves cuts items into waves: own test prefixes, first-party accounts, then
// growing shares of the rest; one neighbor before any other. Every item is in
// exactly one wave. No wave is empty, and none has more changes than allowed
// unless it is one item. It is pure: the same items give the same waves.
func (s Staging) Waves(items []Item) []Wave {
	stages := s.Stages
	if len(stages) == 0 {
		stages = []Stage{{Percent: 100}}
	}
	queue := s.order(items)
	var out []Wave
	first := true // no stage went by percentage yet
	for _, st := range stages {
		var take []Item
		take, queue = s.take(st, queue, len(items), first)
		first = first && (st.Name == StageTest || st.Name == StageFirstParty)
		out = append(out, s.cut(st, take)...)
	}
	if len(queue) > 0 { // the last stage is the whole change, whatever it says
		out = append(out, s.cut(stages[len(stages)-1], queue)...)
	}
	return out
}

// take is what of the queue goes out in a stage. The first stage that goes by
// percentage takes at least one.
func (s Staging) take(st Stage, queue []Item, all int, first bool) (take, rest []Item) {
	switch st.Name {
	case StageTest:
		return split(queue, s.isTest, len(queue))
	case StageFirstParty:
		return split(queue, func(it Item) bool { return it.Neighbor == "" && (it.FirstParty || s.isTest(it)) }, len(queue))
	}
	if st.Percent >= 100 {
		return queue, nil
	}
	want := max((all*st.Percent+99)/100-(all-len(queue)), 0)
	if first {
		want = max(want, 1)
	}
	if st.Percent > canaryPercent {
		return queue[:min(want, len(queue))], queue[min(want, len(queue)):]
	}
	may := func(it Item) bool { return s.Canary == nil || s.Canary(it) }
	if one := slices.IndexFunc(queue, func(it Item) bool { return it.Neighbor != "" && may(it) }); one >= 0 && first {
		// Policy and neighbor changes go to one neighbor first, alone.
		return []Item{queue[one]}, slices.Delete(slices.Clone(queue), one, one+1)
	}
	return s.canaries(queue, may, want)
}

// canaries takes want items, and more until every class is covered.
func (s Staging) canaries(queue []Item, may func(Item) bool, want int) (take, rest []Item) {
	covered, chosen := map[string]bool{}, make([]bool, len(queue))
	for i, it := range queue {
		if may(it) && slices.ContainsFunc(it.Classes, func(c string) bool { return !covered[c] }) {
			chosen[i] = true
			want--
			for _, c := range it.Classes {
				covered[c] = true
			}
		}
	}
	for i, it := range queue {
		if want > 0 && !chosen[i] && may(it) {
			chosen[i] = true
			want--
		}
		if chosen[i] {
			take = append(take, it)
		} else {
			rest = append(rest, it)
		}
	}
	return take, rest
}

func split(queue []Item, is func(Item) bool, most int) (take, rest []Item) {
	for _, it := range queue {
		if is(it) && len(take) < most {
			take = append(take, it)
		} else {
			rest = append(rest, it)
		}
	}
	return take, rest
}

func (s Staging) isTest(it Item) bool {
	return it.Neighbor == "" && slices.ContainsFunc(s.Test, func(p netip.Prefix) bool { return p.Bits() <= it.Block.Bits() && p.Contains(it.Block.Addr()) })
}

// order spreads items over accounts and addresses: what is next to one another
// breaks together.
func (s Staging) order(items []Item) []Item {
	type keyed struct {
		Item
		at uint64
	}
	list := make([]keyed, len(items))
	for i, it := range items {
		h := fnv.New64a()
		_, _ = h.Write([]byte(it.Neighbor + "/" + it.Account + "/" + it.Block.String()))
		list[i] = keyed{it, h.Sum64()}
	}
	slices.SortFunc(list, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Account, b.Account), addressing.ComparePrefix(a.Block, b.Block))
	})
	out := make([]Item, len(list))
	for i := range list {
		out[i] = list[i].Item
	}
	return out
}

// cut keeps every wave within the most changes of one generation.
func (s Staging) cut(st Stage, items []Item) []Wave {
	most := s.MaxChanges
	if most <= 0 {
		most = DefaultMaxChanges
	}
	var out []Wave
	for n := 0; len(items) > 0; {
		w := Wave{Stage: st.Name, Percent: st.Percent, Soak: st.Soak}
		for n = 0; len(items) > 0 && (len(w.Items) == 0 || n+items[0].Ops <= most); items = items[1:] {
			w.Items = append(w.Items, items[0])
			n += items[0].Ops
		}
		out = append(out, w)
	}
	return out
}

// Uncovered names the classes of object that are in the change and in none of
// its canary waves (HMD-07), sorted: no stage beyond the canaries may start
// while there is one. Where no stage is for canaries, nothing is asked of them.
func (s Staging) Uncovered(waves []Wave) []string {
	if !slices.ContainsFunc(s.Stages, func(st Stage) bool { return st.Percent <= canaryPercent }) {
		return []string{}
	}
	all, seen := map[string]bool{}, map[string]bool{}
	beyond := false
	for _, w := range waves {
		canary := w.Percent <= canaryPercent
		beyond = beyond || !canary
		for _, it := range w.Items {
			for _, c := range it.Classes {
				all[c] = true
				seen[c] = seen[c] || canary
			}
		}
	}
	out := []string{}
	for c := range all {
		if !seen[c] && beyond {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out
}

// Canary reports whether the wave is one of those that must cover every class.
func (w Wave) Canary() bool { return w.Percent <= canaryPercent }
