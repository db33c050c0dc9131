package onboarding

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// Service is the name of the service that every prefix is bound to.
const Service = "cdn"

// workers is how many requests are under way at a time: enough to keep the
// daemon's one writer busy.
const workers = 8

// Registration is what Register made.
type Registration struct {
	Service  string            // id
	Accounts map[string]string // ids by name
	Prefixes []Prefix          // in the order of the rows
}

// Prefix is a row with its ids.
type Prefix struct {
	table.Row
	AccountID, ID string
}

// Register makes accounts, the service and the prefixes of rows, approves and
// binds them. Nothing is advertised. The client must be an operator's.
func Register(ctx context.Context, c *client.Client, rows []table.Row) (*Registration, error) {
	r := &Registration{Accounts: map[string]string{}, Prefixes: make([]Prefix, len(rows))}
	if err := r.accounts(ctx, c, rows); err != nil {
		return nil, err
	}
	text, err := answered("create service", http.StatusCreated)(c.CreateService(ctx, nil, client.ServiceCreate{Name: Service}))
	if err != nil {
		return nil, err
	}
	if r.Service, err = id("create service", text); err != nil {
		return nil, err
	}
	err = each(ctx, len(rows), workers, func(ctx context.Context, i int) error {
		p, err := r.prefix(ctx, c, rows[i])
		if err != nil {
			return fmt.Errorf("%s: %w", rows[i].Prefix, err)
		}
		r.Prefixes[i] = p
		return nil
	})
	return r, err
}

func (r *Registration) accounts(ctx context.Context, c *client.Client, rows []table.Row) error {
	for _, row := range rows {
		if r.Accounts[row.Account] != "" {
			continue
		}
		kind := client.AccountCreateKind(row.Kind)
		text, err := answered("create account", http.StatusCreated)(
			c.CreateAccount(ctx, nil, client.AccountCreate{Name: row.Account, Kind: &kind}))
		if err != nil {
			return err
		}
		if r.Accounts[row.Account], err = id("create account", text); err != nil {
			return err
		}
	}
	return nil
}

// prefix takes one prefix from nothing to bound.
func (r *Registration) prefix(ctx context.Context, c *client.Client, row table.Row) (Prefix, error) {
	p := Prefix{Row: row, AccountID: r.Accounts[row.Account]}
	text, err := answered("create prefix", http.StatusCreated)(c.CreateAccountPrefix(ctx, p.AccountID, nil,
		client.PrefixCreate{Cidr: row.Prefix.String(), Asn: int64(row.Origin)}))
	if err != nil {
		return p, err
	}
	var created client.PrefixEnvelope
	if err := json.Unmarshal(text, &created); err != nil {
		return p, fmt.Errorf("create prefix: %w", err)
	}
	p.ID = created.Result.ID
	risks := []string{"unverified"}
	if _, err := answered("approve prefix", http.StatusOK)(
		c.ApprovePrefix(ctx, p.ID, nil, client.PrefixApprove{AcceptRisk: &risks})); err != nil {
		return p, err
	}
	_, err = answered("create binding", http.StatusCreated)(c.CreateAccountBinding(ctx, p.AccountID, p.ID, nil,
		client.BindingCreate{Cidr: row.Prefix.String(), ServiceID: r.Service}))
	return p, err
}

// Advertise asks for every prefix of the registration to be advertised. It
// returns when the daemon has taken the last one; the wire follows.
func (r *Registration) Advertise(ctx context.Context, c *client.Client) error {
	return each(ctx, len(r.Prefixes), workers, func(ctx context.Context, i int) error {
		p := r.Prefixes[i]
		if _, err := answered("advertise", http.StatusOK)(
			c.EditAccountStatus(ctx, p.AccountID, p.ID, nil, client.StatusEdit{Advertised: true})); err != nil {
			return fmt.Errorf("%s: %w", p.Row.Prefix, err)
		}
		return nil
	})
}

// Path is the AS path of a row as an eBGP neighbor of AS ours is to see it.
func Path(row table.Row, ours uint32) []uint32 {
	if row.Origin == ours {
		return []uint32{ours}
	}
	return []uint32{ours, row.Origin}
}

// NextHop is the one of the two that belongs to the row's family.
func NextHop(row table.Row, ipv4, ipv6 netip.Addr) netip.Addr {
	if row.Prefix.Addr().Is4() {
		return ipv4
	}
	return ipv6
}

// answered names a request and says which status it must have.
func answered(what string, want int) func(*http.Response, error) ([]byte, error) {
	return func(r *http.Response, err error) ([]byte, error) { return body(what, want, r, err) }
}

func id(what string, text []byte) (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(text, &made); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if made.ID == "" {
		return "", fmt.Errorf("%s: the answer has no id: %.200s", what, text)
	}
	return made.ID, nil
}
