package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// maxNotices is how many notices that no trip tells are kept; the oldest go.
const maxNotices = 1000

// notices is what accounts are told: what each trip took from them, which its
// evidence names account by account, and what became of changes that waited.
type notices struct {
	evidence *evidence
	file     string

	mu sync.Mutex
}

var _ api.Notices = (*notices)(nil)

// Told implements api.Notices.
func (n *notices) Told(_ context.Context, account string) ([]api.AccountNotice, error) {
	trips, err := n.evidence.read("")
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all, err := n.read()
	if err != nil {
		return nil, err
	}
	for _, t := range trips {
		for _, a := range t.Accounts {
			all = append(all, api.AccountNotice{ID: t.TripID + "-" + a.Account, Account: a.Account, TripID: t.TripID, At: t.At, Prefixes: a.Prefixes, Text: a.Notice})
		}
	}
	all = slices.DeleteFunc(all, func(x api.AccountNotice) bool { return account != "" && x.Account != account })
	slices.SortStableFunc(all, func(a, b api.AccountNotice) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// tell keeps a notice that no trip tells.
func (n *notices) tell(one api.AccountNotice) error {
	if n.evidence.d.off(sinkNotices) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all, err := n.read()
	if err != nil {
		return err
	}
	all = append(all, one)
	raw, err := json.MarshalIndent(all[max(0, len(all)-maxNotices):], "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(n.file, append(raw, '\n'), 0o600)
}

func (n *notices) read() (all []api.AccountNotice, err error) {
	raw, err := os.ReadFile(n.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	return all, err
}
