package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// What the queue takes at most: beyond that a change is refused.
const (
	maxHeld       = 1000   // changes
	maxHeldRoutes = 10_000 // of all of them
)

// Queue is the changes that are desired and wait for the breaker, in a plain
// file: what is in it stays on the wire. A change is in the file before it is
// committed, so that no crash lets one slip by; an entry whose change was never
// committed holds back nothing, because nothing differs.
type Queue struct {
	file string
	keep time.Duration

	mu   sync.Mutex
	q    breaker.HoldQueue
	sets map[string]addressing.ChangeSet
	held map[netip.Prefix]string // account
}

// entry is one line of the file.
type entry struct {
	breaker.Held
	Change addressing.ChangeSet
}

// OpenQueue reads the file, which may be missing. A damaged one is moved aside
// and reported: what it held is then an unexplained loss, which the breaker
// refuses.
func OpenQueue(file string, keep time.Duration) (*Queue, error) {
	q := &Queue{file: file, keep: keep, sets: map[string]addressing.ChangeSet{}, held: map[netip.Prefix]string{}}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return q, nil
	}
	var all []entry
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		err = fmt.Errorf("held changes: %s: %w", file, err)
		return q, errors.Join(err, os.Rename(file, file+".damaged"))
	}
	for _, e := range all {
		q.q = q.q.Hold(e.Held)
		q.sets[e.ID] = e.Change
	}
	q.index()
	return q, nil
}

// index lists the routes that are held.
func (q *Queue) index() {
	clear(q.held)
	left := map[string]bool{}
	for _, h := range q.q.List() {
		left[h.ID] = true
		for _, p := range h.Prefixes {
			q.held[p] = h.Account
		}
	}
	for id := range q.sets {
		if !left[id] {
			delete(q.sets, id)
		}
	}
}

// become writes a new queue down and follows it.
func (q *Queue) become(next breaker.HoldQueue, sets map[string]addressing.ChangeSet) error {
	all := []entry{}
	for _, h := range next.List() {
		all = append(all, entry{h, sets[h.ID]})
	}
	raw, err := json.MarshalIndent(all, "", " ")
	if err == nil {
		err = renameio.WriteFile(q.file, append(raw, '\n'), 0o600)
	}
	if err == nil {
		err = syncDir(filepath.Dir(q.file))
	}
	if err != nil {
		return fmt.Errorf("held changes: %w", err)
	}
	q.q = next
	q.index()
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// mayWait reports whether a change can be planned afresh later: it withdraws
// routes, of one account, and does nothing else.
func mayWait(c addressing.ChangeSet) bool {
	switch c.Verb {
	case "prefix.withdraw", "bgp_prefix.withdraw":
	default:
		return false
	}
	for _, e := range c.Effects {
		if e.Kind != addressing.Lost || e.AccountID != c.Effects[0].AccountID {
			return false
		}
	}
	return len(c.Effects) > 0
}

// hold takes a change in; drop takes it out again when its commit failed.
func (q *Queue) hold(c addressing.ChangeSet, tripID, why string) (drop func(), err error) {
	h := breaker.Held{ID: c.ID, Actor: Actor(c.Actor), Account: c.Effects[0].AccountID, TripID: tripID, Reason: why, At: c.At, Expires: c.At.Add(q.keep)}
	for _, e := range c.Effects {
		h.Prefixes = append(h.Prefixes, e.CIDR)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.sets) >= maxHeld || len(q.held)+len(h.Prefixes) > maxHeldRoutes {
		return nil, errors.New("too many changes wait already")
	}
	q.sets[c.ID] = c
	if err := q.become(q.q.Hold(h), q.sets); err != nil {
		delete(q.sets, c.ID)
		return nil, err
	}
	return func() { _ = q.Forget(c.ID) }, nil
}

// List is what waits, oldest first.
func (q *Queue) List() []breaker.Held {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.q.List()
}

// Change is the change set that waits under an id.
func (q *Queue) Change(id string) (addressing.ChangeSet, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, found := q.sets[id]
	return c, found
}

// Forget takes a change out of the queue.
func (q *Queue) Forget(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	next, found := q.q.Drop(id)
	if !found {
		return nil
	}
	return q.become(next, q.sets)
}

// Committed takes in what became desired: a route that is wanted again waits no
// longer to be withdrawn.
func (q *Queue) Committed(c addressing.ChangeSet) error {
	var back []netip.Prefix
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range c.Effects {
		if account, held := q.held[e.CIDR]; held && e.Kind == addressing.Gained && account == e.AccountID {
			back = append(back, e.CIDR)
		}
	}
	if len(back) == 0 {
		return nil
	}
	return q.become(q.q.DropPrefixes(back), q.sets)
}

// Expired are the changes that have waited too long.
func (q *Queue) Expired(now time.Time) []breaker.Held {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, expired := q.q.Expire(now)
	return expired
}

// Held reports which routes stay as the wire has them; nil is none.
func (q *Queue) Held() func(account string, cidr netip.Prefix) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.held) == 0 {
		return nil
	}
	held := make(map[netip.Prefix]string, len(q.held))
	for p, account := range q.held {
		held[p] = account
	}
	return func(account string, cidr netip.Prefix) bool {
		a, found := held[cidr]
		return found && a == account
	}
}

// Release asks the breaker afresh about a change that waits, under a new id and
// now: it is never replayed as it was. What passes is charged and planned.
func (g *Gate) Release(ctx context.Context, id, newID string, at time.Time) error {
	c, found := g.queue.Change(id)
	if !found {
		return &addressing.Error{Code: addressing.CodeNotFound, Op: "release", Detail: "no change " + id + " waits", Next: "holdfast held list"}
	}
	waiting := g.queue.List()
	for _, h := range waiting {
		if h.ID != id {
			continue
		}
		still := map[netip.Prefix]bool{}
		for _, p := range h.Prefixes {
			still[p] = true
		}
		var effects []addressing.Effect
		for _, e := range c.Effects {
			if still[e.CIDR] {
				effects = append(effects, e)
			}
		}
		c.Effects = effects
	}
	c.ID, c.At = newID, at
	d := g.decide(ctx, c)
	if err := refusal(c, d); err != nil {
		return err
	}
	return g.queue.Forget(id)
}
