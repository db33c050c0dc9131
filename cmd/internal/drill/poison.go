package drill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

const (
	goodCycles      = 12
	firstGeneration = 10 // of the source
)

// offers is a feed that can be pointed at another store.
type offers struct{ feed.Directory }

func (o *offers) at(root string) { o.Root = root }

// poisoned is drill D11: a speaker that follows a store is offered snapshots
// that are wrong in every way there is.
type poisoned struct {
	*Rig
	dir      string
	feed     *offers
	follows  *snapshots.Dir
	follower *rollout.Follower
	state    addressing.State
	network  snapshots.NetworkPart
	head     snapshots.Head // of the source
	panics   int
	accepted int
	silent   int // neither accepted nor refused with a reason
	atSource int // taken by the store that was forged
	report   *Report
}

func poison(ctx context.Context, o Options) (*Report, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	if o.Small {
		rows = append(rows[:8:8], rows[len(rows)-4:]...) // of two accounts at least
	}
	dir := filepath.Join(o.Dir, "poison")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	d := &poisoned{dir: dir, feed: &offers{}, report: &Report{}}
	if d.Rig, err = NewRig(ctx, RigOptions{Dir: dir, Rows: rows}); err != nil {
		return nil, err
	}
	defer d.Close()
	for _, step := range []func(context.Context, Options) error{d.follow, d.poisons, d.cycles, d.restart} {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	d.report.Exactly("poisoned snapshots accepted", d.accepted, 0)
	d.report.Exactly("poisoned snapshots accepted by the store they lie in", d.atSource, 0)
	d.report.Exactly("poisoned snapshots refused without a reason", d.silent, 0)
	d.report.Exactly("panics", d.panics, 0)
	return d.report, nil
}

// follow makes a source that has what the neighbor holds, and a follower of it
// in front of the speaker.
func (d *poisoned) follow(ctx context.Context, _ Options) error {
	var err error
	if d.state, err = d.Registry.State(ctx); err != nil {
		return err
	}
	d.network = d.Runner.Active().Snapshot.Network
	source := filepath.Join(d.dir, "source")
	if err := snapshots.Init(source, snapshots.Options{Environment: Environment}); err != nil {
		return err
	}
	if err := d.publish(source, firstGeneration); err != nil {
		return err
	}
	if err := d.open(ctx, source); err != nil {
		return err
	}
	before := d.Wire.Counters()
	if refused := d.offer(ctx, source); refused != "" || d.follower.Status().Head != d.head {
		return fmt.Errorf("the follower does not take what is good: %s", refused)
	}
	if err := d.Settle(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	d.report.Exactly("UPDATEs when the follower takes over", d.Wire.Counters().Updates-before.Updates, 0)
	return nil
}

// open opens the follower's own store, and makes a follower that has booted
// from it.
func (d *poisoned) open(ctx context.Context, source string) error {
	key, err := os.ReadFile(filepath.Join(source, "signing.pub"))
	if err != nil {
		return err
	}
	root, options := filepath.Join(d.dir, "follower"), snapshots.Options{Environment: Environment, Follow: []string{strings.TrimSpace(string(key))}}
	if d.follows == nil {
		if err := snapshots.Init(root, options); err != nil {
			return err
		}
	}
	store, err := snapshots.Open(root, options)
	if err != nil {
		return err
	}
	d.follows = store
	d.stops = append(d.stops, func() { _ = store.Close() })
	d.follower, err = rollout.NewFollower(rollout.FollowerConfig{Environment: Environment, Network: d.network, Store: store, Applier: d.Speaker, Feed: d.feed})
	if err != nil {
		return err
	}
	_, err = d.follower.Boot(ctx)
	return err
}

// publish puts the state into a store as its next generation, with a permit.
func (d *poisoned) publish(root string, generation uint64) error {
	store, err := snapshots.Open(root, snapshots.Options{Environment: Environment})
	if err != nil {
		return err
	}
	s, err := snapshots.Build(d.state, d.network, Environment, d.Now())
	if err != nil {
		return errors.Join(err, store.Close())
	}
	d.head = snapshots.Head{Environment: Environment, Epoch: d.Runner.Active().Head.Epoch, Generation: generation, ID: s.ID(), CreatedAt: d.Now().UnixNano(), Actor: Operator("noc").Key(), Reason: "drill D11"}
	return errors.Join(store.Put(d.head, s), store.MarkGood(d.head), store.Permit(snapshots.PermitFor(d.head, d.Now().UnixNano())), store.Close())
}

// offer shows the follower a store and says why it refused, or "". A panic is
// counted and is no refusal.
func (d *poisoned) offer(ctx context.Context, root string) (refused string) {
	defer func() {
		if p := recover(); p != nil {
			d.panics++
		}
	}()
	d.feed.at(root)
	p, err := d.feed.Poll(ctx, feed.Pointer{})
	if err != nil {
		return err.Error()
	}
	d.follower.Saw(p)
	if err := d.follower.Look(ctx); err != nil {
		return err.Error()
	}
	return d.follower.Status().Refused
}

// spoil offers one forgery of the source's newest generation, and then what is
// good again.
func (d *poisoned) spoil(ctx context.Context, f forgery, good, base string) (refused string, err error) {
	root := filepath.Join(d.dir, "forged")
	if err := os.CopyFS(root, os.DirFS(base)); err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(filepath.Join(root, "signing.key"), 0o600); err != nil {
		return "", err
	}
	forged, err := f.forge(root, d.head)
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.name, err)
	}
	before := d.follower.Status().Head
	refused = d.offer(ctx, root)
	after := d.follower.Status()
	switch {
	case after.Head != before || after.Staged != (snapshots.Head{}):
		d.accepted++
	case refused == "":
		d.silent++
	}
	if !f.feedOnly && d.loads(root, forged.head) {
		d.atSource++
	}
	if again := d.offer(ctx, good); again != "" {
		return refused, fmt.Errorf("after %s the follower refuses what is good: %s", f.name, again)
	}
	return refused, nil
}

// loads reports whether the store itself would boot with the forged head.
func (d *poisoned) loads(root string, h snapshots.Head) bool {
	defer func() {
		if p := recover(); p != nil {
			d.panics++
		}
	}()
	store, err := snapshots.Open(root, snapshots.Options{Environment: Environment})
	if err != nil {
		return false
	}
	defer store.Close()
	l, err := store.Good()
	return err == nil && !l.Fallback && l.Head.Generation == h.Generation
}

// poisons offers every forgery. If one was taken, a route would change.
func (d *poisoned) poisons(ctx context.Context, o Options) error {
	good, base := filepath.Join(d.dir, "source"), filepath.Join(d.dir, "candidate")
	if err := d.candidate(good, base, firstGeneration+1); err != nil {
		return err
	}
	before := d.Wire.Counters()
	t := Table{Title: "Poisoned snapshots", Columns: []string{"poison", "refused because"}}
	all := forgeries()
	for _, f := range all {
		refused, err := d.spoil(ctx, f, good, base)
		if err != nil {
			return err
		}
		t.Add(f.name, shortened(strings.ReplaceAll(refused, d.dir, "…")))
	}
	if err := d.Settle(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	o.say("%d kinds of poison, %d accepted, %d panics", len(all), d.accepted, d.panics)
	d.report.AtLeast("kinds of poison", len(all), 30)
	d.report.Exactly("UPDATEs while poison was offered", d.Wire.Counters().Updates-before.Updates, 0)
	d.report.Exactly("at the neighbor after the poison", d.Wire.Held(), d.Full)
	d.report.Tables = append(d.report.Tables, t)
	return nil
}

// candidate is a copy of a store with one more generation, in which one route
// differs.
func (d *poisoned) candidate(from, to string, generation uint64) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(to, "signing.key"), 0o600); err != nil {
		return err
	}
	d.state.BGPPrefixes[0].Prepend = (d.state.BGPPrefixes[0].Prepend + 1) % 4
	return d.publish(to, generation)
}

// cycles alternates good and bad generations: the wire follows the good ones
// and no other.
func (d *poisoned) cycles(ctx context.Context, o Options) error {
	good, all, taken := filepath.Join(d.dir, "source"), forgeries(), 0
	t := Table{Title: "Good and bad in turn", Columns: []string{"cycle", "poison", "routes changed by the poison", "by the good generation"}}
	wrong, missed := 0, 0
	for cycle := range goodCycles {
		next := filepath.Join(d.dir, fmt.Sprint("cycle-", cycle))
		if err := d.candidate(good, next, firstGeneration+1+uint64(cycle)); err != nil {
			return err
		}
		f := all[cycle*len(all)/goodCycles]
		before := d.Wire.Counters()
		if _, err := d.spoil(ctx, f, good, next); err != nil {
			return err
		}
		if err := d.Settle(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		bad := d.Wire.Counters()
		if refused := d.offer(ctx, next); refused == "" && d.follower.Status().Head == d.head {
			taken++
		}
		if err := d.settled(ctx, bad.Announced+1); err != nil {
			return err
		}
		after := d.Wire.Counters()
		wrong += bad.Updates - before.Updates + after.Removed() - before.Removed()
		if after.Announced-bad.Announced != 1 {
			missed++
		}
		t.Add(cycle+1, f.name, bad.Announced-before.Announced+bad.Removed()-before.Removed(), after.Announced-bad.Announced)
		good = next
	}
	o.say("%d cycles of good and bad: %d good ones taken", goodCycles, taken)
	d.report.Exactly("good generations that were taken", taken, goodCycles)
	d.report.Exactly("good generations that did not change their one route", missed, 0)
	d.report.Exactly("UPDATEs by bad generations, and withdrawals by any", wrong, 0)
	d.report.Tables = append(d.report.Tables, t)
	return nil
}

// settled waits for so many announcements, for 5 s at most, and then for quiet.
func (d *poisoned) settled(ctx context.Context, announced int) error {
	for end := time.Now().Add(5 * time.Second); d.Wire.Counters().Announced < announced && time.Now().Before(end); {
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return d.Settle(ctx, 50*time.Millisecond)
}

// restart demands that a follower that starts again has what it had.
func (d *poisoned) restart(ctx context.Context, _ Options) error {
	head, before := d.follower.Status().Head, d.Wire.Counters()
	if err := d.follows.Close(); err != nil {
		return err
	}
	if err := d.open(ctx, filepath.Join(d.dir, "source")); err != nil {
		return err
	}
	if err := d.Settle(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	same := 0
	if d.follower.Status().Head == head {
		same = 1
	}
	d.report.Exactly("the same generation after a restart", same, 1)
	d.report.Exactly("UPDATEs at the restart", d.Wire.Counters().Updates-before.Updates, 0)
	d.report.Exactly("at the neighbor at the end", d.Wire.Held(), d.Full)
	return nil
}

// shortened is the first line of a reason, bounded, fit for a table.
func shortened(s string) string {
	s, _, _ = strings.Cut(strings.ToValidUTF8(s, "?"), "\n")
	s = strings.ReplaceAll(s, "|", "/")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}
