package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/storetest"
)

// What is written past the program is seen as well, and where nobody can say
// whose it is, the read is of everything: a smaller state must never pass for a
// change of one account.
func TestSinceSeesWhatOthersWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.db")
	s := open(t, path)
	defer s.Close()
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		return errors.Join(tx.SaveAccount(storetest.Account(1)), tx.SaveAccount(storetest.Account(2)), tx.SaveService(storetest.Service(3)),
			tx.SavePrefix(storetest.Prefix(10, storetest.ID(1), "11.0.0.0/22")), tx.SavePrefix(storetest.Prefix(20, storetest.ID(2), "12.0.0.0/22")),
			tx.SaveBGPPrefix(storetest.BGPPrefix(11, storetest.ID(10), "11.0.0.0/22")), tx.SaveBGPPrefix(storetest.BGPPrefix(21, storetest.ID(20), "12.0.0.0/22")),
			tx.InsertBinding(storetest.Binding(12, storetest.ID(10), "11.0.0.0/22", storetest.ID(3))))
	})
	if err != nil {
		t.Fatal(err)
	}
	var f storetest.Follower
	f.Follow(t, s)
	for _, c := range []struct {
		name, statement string
		whole           bool
	}{
		{"a toggle", "UPDATE bgp_prefixes SET advertised = 1 WHERE prefix_id = '" + storetest.ID(10) + "'", false},
		{"ignored conflicts", "INSERT OR IGNORE INTO accounts SELECT '" + storetest.ID(5) + "', 'five', kind, created_at, version FROM accounts LIMIT 1", false},
		{"a prefix that changes hands", "UPDATE prefixes SET account_id = '" + storetest.ID(2) + "' WHERE id = '" + storetest.ID(10) + "'", false},
		{"everything of a table", "DELETE FROM bindings", false},
		{"a prefix gone, its route left behind", "DELETE FROM prefixes WHERE id = '" + storetest.ID(20) + "'", true},
		{"a route of nothing", "DELETE FROM bgp_prefixes WHERE prefix_id = '" + storetest.ID(20) + "'", true},
		{"a trigger less", "DROP TRIGGER changed_bindings_insert", true},
		{"and still", "UPDATE accounts SET name = 'x' WHERE id = '" + storetest.ID(2) + "'", true},
	} {
		raw(t, path, c.statement)
		if d := f.Follow(t, s); d.Whole != c.whole {
			t.Errorf("%s: whole %v, accounts %v", c.name, d.Whole, d.Accounts)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path) // makes the trigger again
	defer again.Close()
	if d := f.Follow(t, again); !d.Whole {
		t.Errorf("the schema has changed, yet %+v", d)
	}
	if d := f.Follow(t, again); d.Whole {
		t.Error("the trigger was not made again")
	}
}

// The counter going back is not "nothing has changed".
func TestSinceOfANewerRevision(t *testing.T) {
	s := open(t, seed(t))
	defer s.Close()
	d, err := s.Since(t.Context(), addressing.Revision{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Revision.Changes++
	if again, err := s.Since(t.Context(), d.Revision, nil); err != nil || !again.Whole || len(again.State.Accounts) != 2 {
		t.Errorf("%+v, %v", again, err)
	}
}
