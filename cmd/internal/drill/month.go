package drill

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

const day = 24 * time.Hour

// month is drill D4: 30 days of legitimate load must pass. A breaker that trips
// on this is worse than none.
func month(ctx context.Context, o Options) (*Report, error) {
	sizes, toggles := []int{50, 300, 3000, 6500}, 500
	if o.Small {
		sizes, toggles = []int{300}, 4
	}
	report := &Report{}
	t := Table{Title: "30 days of legitimate load", Columns: []string{"prefixes", "changes", "of them toggles", "global trips", "other trips", "refused", "on the wire p50", "p95", "longest"}}
	for i, size := range sizes {
		o.say("%d prefixes", size)
		m, err := runMonth(ctx, filepath.Join(o.Dir, fmt.Sprint("month-", i)), size, toggles)
		if err != nil {
			return nil, fmt.Errorf("%d prefixes: %w", size, err)
		}
		report.Exactly(fmt.Sprintf("D4, %d prefixes: global trips", size), m.global, 0)
		report.AtMost(fmt.Sprintf("D4, %d prefixes: actor trips", size), m.other, 1)
		report.Exactly(fmt.Sprintf("D4, %d prefixes: legitimate changes refused", size), len(m.refused), 0)
		report.Within(fmt.Sprintf("D4, %d prefixes: every change on the wire", size), Percentile(m.took, 100), 10*time.Second)
		t.Add(size, m.changes, m.toggled, m.global, m.other, len(m.refused), Percentile(m.took, 50).Round(time.Millisecond),
			Percentile(m.took, 95).Round(time.Millisecond), Percentile(m.took, 100).Round(time.Millisecond))
		for _, why := range m.refused[:min(5, len(m.refused))] {
			report.Notes = append(report.Notes, fmt.Sprintf("%d prefixes: %s", size, why))
		}
	}
	report.Tables = []Table{t}
	return report, nil
}

// calendar is 30 days on one network.
type calendar struct {
	*Rig
	demand  []Prefix // rest withdrawn
	changes int
	toggled int
	refused []string
	took    []time.Duration // from the request to the neighbor's table
	want    int             // routes
	global  int             // trips of the global scope
	other   int             // of any other
}

// ofForty is the customer that withdraws everything it has.
const ofForty = "forty"

// monthRows picks the rows: 40 of them belong to one customer.
func monthRows(size int) ([]table.Row, error) {
	all, err := table.Load()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b table.Row) int { // customers first
		return boolInt(a.Kind == table.KindFirstParty) - boolInt(b.Kind == table.KindFirstParty)
	})
	rows := slices.Clone(all[:size])
	for i := range min(40, size-8) {
		rows[i].Account = ofForty
	}
	return rows, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func runMonth(ctx context.Context, dir string, size, toggles int) (*calendar, error) {
	rows, err := monthRows(size)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m := &calendar{want: size}
	limits := breaker.DefaultLimits()
	limits.ApproveBelow, limits.Approvals = 50, 1
	if m.Rig, err = NewRig(ctx, RigOptions{Dir: dir, Rows: rows, Limits: limits, Fill: m.onDemand, Second: true}); err != nil {
		return nil, err
	}
	defer m.Close()
	for d := range 30 {
		if err := m.day(ctx, d, toggles); err != nil {
			return nil, fmt.Errorf("day %d: %w", d, err)
		}
		if err := m.Pass(Began.Add(time.Duration(d+1) * day).Sub(m.Now())); err != nil {
			return nil, err
		}
	}
	return m, m.countTrips(filepath.Join(dir, "journal"))
}

// onDemand adds 40 prefixes of two customers that rest withdrawn.
func (m *calendar) onDemand(d *Desk) error {
	return d.store.Update(context.Background(), func(tx addressing.Tx) error {
		for i := range 40 {
			p := Prefix{Row: table.Row{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i), 0}), 24), Origin: ourASN, Kind: table.KindCustomer},
				AccountID: id(7, i%2), ID: id(8, i), Binding: id(9, i), BGP: id(10, i)}
			if i < 2 {
				if err := tx.SaveAccount(addressing.Account{ID: p.AccountID, Name: fmt.Sprint("on-demand-", i), Kind: addressing.Customer, CreatedAt: Began, Version: 1}); err != nil {
					return err
				}
			}
			if err := p.rest(tx, d.Service); err != nil {
				return err
			}
			m.demand = append(m.demand, p)
		}
		return nil
	})
}

func (p Prefix) rest(tx addressing.Tx, service string) error {
	if err := tx.SavePrefix(addressing.Prefix{ID: p.ID, AccountID: p.AccountID, CIDR: p.Row.Prefix, ASN: p.Origin, State: addressing.Approved,
		Control: addressing.ControlAPI, OnDemandEnabled: true, CreatedAt: Began, ModifiedAt: Began, Version: 1}); err != nil {
		return err
	}
	if err := tx.InsertBinding(addressing.Binding{ID: p.Binding, PrefixID: p.ID, CIDR: p.Row.Prefix, ServiceID: service, Active: true, CreatedAt: Began}); err != nil {
		return err
	}
	return tx.SaveBGPPrefix(addressing.BGPPrefix{ID: p.BGP, PrefixID: p.ID, CIDR: p.Row.Prefix, Resting: addressing.RestingWithdrawn,
		Sites: addressing.AllSites(), CreatedAt: Began, ModifiedAt: Began, Version: 1})
}

// day is one day's changes.
func (m *calendar) day(ctx context.Context, d, toggles int) error {
	if err := m.toggles(ctx, toggles/2); err != nil {
		return err
	}
	all := m.Customers()
	forty := slices.DeleteFunc(slices.Clone(all), func(p Prefix) bool { return p.Account != ofForty })
	last := all[max(len(forty), len(all)-200):]
	noc := Operator("noc")
	switch d {
	case 3, 4:
		return m.all(ctx, Owner(forty[0].AccountID), "", d == 4, forty)
	case 10:
		return m.all(ctx, noc, m.approved(last, "migration"), false, last)
	case 11:
		return m.all(ctx, noc, "", true, last)
	case 17: // off-boarding
		leaving := last[:min(8, len(last))]
		return m.all(ctx, noc, m.approved(leaving, "off-boarding"), false, leaving)
	case 21:
		return m.drain(ctx)
	case 25:
		return m.reload(ctx)
	}
	one := all[len(all)-1:]
	approval := ""
	if len(all) < 60 {
		approval = m.approved(one, fmt.Sprint("day-", d))
	}
	if err := m.all(ctx, noc, approval, false, one); err != nil {
		return err
	}
	return m.all(ctx, noc, "", true, one)
}

// toggles announces and withdraws on-demand prefixes, twenty together. The wire
// follows within a moment, not within what the calendar lets pass.
func (m *calendar) toggles(ctx context.Context, pairs int) error {
	const together = 20
	for from := 0; from < pairs; from += together {
		for _, up := range []bool{true, false} {
			begun := time.Now()
			for i := from; i < min(pairs, from+together); i++ {
				m.toggled++
				p := m.demand[i%len(m.demand)]
				if err := m.set(ctx, Owner(p.AccountID), "", up, p); err != nil {
					return err
				}
			}
			if err := m.follow(ctx); err != nil {
				m.refused = append(m.refused, err.Error())
			}
			m.took = append(m.took, time.Since(begun))
			if err := m.Pass(9 * time.Hour * together / time.Duration(2*max(pairs, together))); err != nil {
				return err
			}
		}
	}
	return nil
}

// approved has another person approve exactly these.
func (m *calendar) approved(of []Prefix, id string) string {
	a := breaker.Approval{ID: id, From: m.Now(), Until: m.Now().Add(2 * time.Hour), Requester: breaker.Actor{Kind: breaker.Operator, Key: Operator("noc").Key()},
		Approvers: []string{"operator/lead"}, Reason: id}
	for _, p := range of {
		a.Prefixes = append(a.Prefixes, p.Row.Prefix)
	}
	if err := m.Breaker.Approve(a, m.Now()); err != nil {
		m.refused = append(m.refused, err.Error())
	}
	return id
}

// all sets every prefix and waits for the neighbor.
func (m *calendar) all(ctx context.Context, by addressing.Actor, approval string, up bool, of []Prefix) error {
	begun := time.Now()
	for _, p := range of {
		if err := m.set(ctx, by, approval, up, p); err != nil {
			return err
		}
	}
	if err := m.follow(ctx); err != nil {
		m.refused = append(m.refused, err.Error())
		return nil
	}
	m.took = append(m.took, time.Since(begun))
	return m.Pass(time.Minute)
}

// follow waits for both neighbors: a table that is counted before it has
// followed, and dated after, would look like a maximum that nothing explains.
func (m *calendar) follow(ctx context.Context) error {
	return errors.Join(m.Await(ctx, m.want), m.AwaitOther(ctx, m.want))
}

// set advertises or withdraws one prefix, with the confirmation that an owner
// is asked for.
func (m *calendar) set(ctx context.Context, by addressing.Actor, approval string, up bool, p Prefix) error {
	m.changes++
	req := m.Request(by, "planned")
	req.Approval = approval
	do := m.Registry.WithdrawPrefix
	if up {
		do = m.Registry.AdvertisePrefix
	}
	_, c, err := do(ctx, req, p.ID)
	var confirm *addressing.Error
	if errors.As(err, &confirm) && confirm.Code == addressing.CodeConfirm {
		req.Confirm = confirm.Confirm
		_, c, err = do(ctx, req, p.ID)
	}
	switch addressing.CodeOf(err) {
	case "":
	case addressing.CodeInternal, addressing.CodeUnavailable:
		return err
	default:
		m.refused = append(m.refused, fmt.Sprintf("%s: %v", p.Row.Prefix, err))
		return nil
	}
	for _, e := range c.Effects {
		switch e.Kind {
		case addressing.Gained:
			m.want++
		case addressing.Lost:
			m.want--
		}
	}
	return nil
}

// drain takes the second site out of service and puts it back: a whole table
// that goes on purpose, and no loss.
func (m *calendar) drain(ctx context.Context) error {
	spec := addressing.DrainSpec{Site: secondSite, Sites: []string{site, secondSite}}
	for _, want := range []int{0, m.want} {
		begun, do := time.Now(), m.Registry.Undrain
		if want == 0 {
			do = m.takeOut
		}
		m.changes++
		if _, err := do(ctx, m.Request(Operator("noc"), "maintenance"), spec); err != nil {
			m.refused = append(m.refused, "site drain: "+err.Error())
			return nil
		}
		if err := errors.Join(m.AwaitOther(ctx, want), m.Await(ctx, m.want)); err != nil {
			m.refused = append(m.refused, "site drain: "+err.Error())
		}
		m.took = append(m.took, time.Since(begun))
		if err := m.Pass(time.Hour); err != nil {
			return err
		}
	}
	return nil
}

func (m *calendar) takeOut(ctx context.Context, q addressing.Request, spec addressing.DrainSpec) (addressing.ChangeSet, error) {
	_, _, change, err := m.Registry.Drain(ctx, q, spec)
	return change, err
}

// reload is a router that restarts: an observation, never a loss.
func (m *calendar) reload(ctx context.Context) error {
	begun, ups := time.Now(), m.Wire.Counters().SessionsUp
	m.Wire.Drop()
	for end := time.Now().Add(30 * time.Second); m.Wire.Counters().SessionsUp == ups; {
		if time.Now().After(end) {
			return errors.New("the session did not come back")
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	if err := m.follow(ctx); err != nil {
		m.refused = append(m.refused, "reload: "+err.Error())
	}
	m.took = append(m.took, time.Since(begun))
	return nil
}

// countTrips reads from the journal what the month has opened.
func (m *calendar) countTrips(journal string) error {
	return breaker.ReadHistory(journal, func(r breaker.Record) error {
		switch {
		case r.Kind == breaker.RecordTrip && r.Scope == breaker.Global:
			m.global++
		case r.Kind == breaker.RecordTrip:
			m.other++
		}
		return nil
	})
}
