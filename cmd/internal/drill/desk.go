package drill

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// Desk is desired state and where everything of it is.
type Desk struct {
	Registry *addressing.Registry
	Service  string            // id
	Accounts map[string]string // ids by name
	Prefixes []Prefix          // in the order of the rows

	store addressing.Store
}

// Prefix is a row with its ids.
type Prefix struct {
	table.Row
	AccountID, ID, Binding, BGP string

	Second string // another binding, see bindTwice
}

// Operator and Task are actors of a drill; an account's owner is Owner.
func Operator(name string) addressing.Actor {
	return addressing.Actor{Kind: addressing.Operator, ID: name}
}

// Task is a system actor.
func Task(name string) addressing.Actor {
	return addressing.Actor{Kind: addressing.System, ID: name}
}

// Owner acts on an account of its own.
func Owner(account string) addressing.Actor {
	return addressing.Actor{Kind: addressing.Owner, ID: "token-" + account, AccountID: account}
}

// fill writes the rows in one transaction: how they got there is no part of a
// drill.
func (d *Desk) fill(ctx context.Context, rows []table.Row) error {
	d.Accounts = map[string]string{}
	return d.store.Update(ctx, func(tx addressing.Tx) error {
		d.Service = id(1, 0)
		if err := tx.SaveService(addressing.Service{ID: d.Service, Name: "cdn", MinSites: 1, CreatedAt: Began, Version: 1}); err != nil {
			return err
		}
		for i, row := range rows {
			account, known := d.Accounts[row.Account]
			if !known {
				account = id(2, len(d.Accounts))
				d.Accounts[row.Account] = account
				kind := addressing.Customer
				if row.Kind == table.KindFirstParty {
					kind = addressing.FirstParty
				}
				if err := tx.SaveAccount(addressing.Account{ID: account, Name: row.Account, Kind: kind, CreatedAt: Began, Version: 1}); err != nil {
					return fmt.Errorf("account %s: %w", row.Account, err)
				}
			}
			p := Prefix{Row: row, AccountID: account, ID: id(3, i), Binding: id(4, i), BGP: id(5, i)}
			if err := p.save(tx, d.Service); err != nil {
				return fmt.Errorf("%s: %w", row.Prefix, err)
			}
			d.Prefixes = append(d.Prefixes, p)
		}
		return nil
	})
}

func (p Prefix) save(tx addressing.Tx, service string) error {
	if err := tx.SavePrefix(addressing.Prefix{ID: p.ID, AccountID: p.AccountID, CIDR: p.Row.Prefix, ASN: p.Origin, State: addressing.Approved,
		Control: addressing.ControlAPI, OnDemandEnabled: true, CreatedAt: Began, ModifiedAt: Began, Version: 1}); err != nil {
		return err
	}
	if err := tx.InsertBinding(addressing.Binding{ID: p.Binding, PrefixID: p.ID, CIDR: p.Row.Prefix, ServiceID: service, Active: true, CreatedAt: Began}); err != nil {
		return err
	}
	return tx.SaveBGPPrefix(addressing.BGPPrefix{ID: p.BGP, PrefixID: p.ID, CIDR: p.Row.Prefix, Advertised: true, Resting: addressing.RestingAdvertised,
		Sites: addressing.AllSites(), CreatedAt: Began, ModifiedAt: Began, Version: 1})
}

// bindTwice binds half of every prefix that has halves to a second service, so
// that removing that binding takes nothing off the wire.
func (d *Desk) bindTwice() error {
	return d.store.Update(context.Background(), func(tx addressing.Tx) error {
		second := id(1, 1)
		if err := tx.SaveService(addressing.Service{ID: second, Name: "spectrum", MinSites: 1, CreatedAt: Began, Version: 1}); err != nil {
			return err
		}
		for i := range d.Prefixes {
			p := &d.Prefixes[i]
			half := netip.PrefixFrom(p.Row.Prefix.Addr(), p.Row.Prefix.Bits()+1)
			if half.Addr().Is4() && half.Bits() > addressing.MaxBitsIPv4 || half.Bits() > addressing.MaxBitsIPv6 {
				continue
			}
			p.Second = id(6, i)
			if err := tx.InsertBinding(addressing.Binding{ID: p.Second, PrefixID: p.ID, CIDR: half, ServiceID: second, Active: true, CreatedAt: Began}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Customers are the prefixes that are not our own.
func (d *Desk) Customers() []Prefix {
	var out []Prefix
	for _, p := range d.Prefixes {
		if p.Kind == table.KindCustomer {
			out = append(out, p)
		}
	}
	return out
}

func id(kind, n int) string { return fmt.Sprintf("%032x", kind<<32|n) }

// Rows is the table of 20 February: 6,500 prefixes, 4,306 of them of 400
// customers; a tenth of each if small.
func Rows(small bool) ([]table.Row, error) {
	rows, err := table.Load()
	if err != nil || !small {
		return rows, err
	}
	var out []table.Row
	for i, row := range rows {
		if i%10 == 0 {
			out = append(out, row)
		}
	}
	return out, nil
}
