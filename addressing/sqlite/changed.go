package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Every table that snapshots are built from has triggers that note whose rows
// were written, so that a read of what changed misses nothing, also of what
// somebody writes past the program. They are made at every start and not by a
// migration: one that makes a table anew would lose them.

// watched says whose a row is, as expressions over OLD and NEW, and which rows
// of the table need no note.
var watched = []struct{ table, old, new, unless string }{
	{"accounts", "OLD.id", "NEW.id", ""},
	{"prefixes", leftBehind, "NEW.account_id", ""},
	{"bgp_prefixes", ownerOf("OLD"), ownerOf("NEW"), ""},
	{"bindings", ownerOf("OLD"), ownerOf("NEW"), ""},
	{"negative_intents", "OLD.account_id", "NEW.account_id", "account_id = ''"}, // read every time
}

func ownerOf(row string) string {
	return "coalesce((SELECT account_id FROM prefixes WHERE id = " + row + ".prefix_id), '')"
}

// leftBehind is nobody for a prefix that is gone and left something behind.
const leftBehind = "CASE WHEN NOT EXISTS (SELECT 1 FROM prefixes WHERE id = OLD.id) AND (EXISTS (SELECT 1 FROM bgp_prefixes WHERE prefix_id = OLD.id) OR " +
	"EXISTS (SELECT 1 FROM bindings WHERE prefix_id = OLD.id)) THEN '' ELSE OLD.account_id END"

// note is two statements that cannot conflict: of one that can, the statement
// that fired the trigger would decide what becomes of it.
func note(owner string) string {
	return fmt.Sprintf("DELETE FROM changed WHERE account_id = %[1]s; INSERT INTO changed (account_id) VALUES (%[1]s); ", owner)
}

// triggers is what makes each trigger, by name.
func triggers() map[string]string {
	out := map[string]string{}
	for _, w := range watched {
		for event, body := range map[string]string{"INSERT": note(w.new), "UPDATE": note(w.old) + note(w.new), "DELETE": note(w.old)} {
			when := ""
			if w.unless != "" {
				when = " WHEN NOT (" + map[string]string{"INSERT": "NEW." + w.unless, "UPDATE": "OLD." + w.unless + " AND NEW." + w.unless, "DELETE": "OLD." + w.unless}[event] + ")"
			}
			name := "changed_" + w.table + "_" + strings.ToLower(event)
			out[name] = fmt.Sprintf("CREATE TRIGGER %s AFTER %s ON %s%s BEGIN %sEND", name, event, w.table, when, body)
		}
	}
	return out
}

// watch makes the triggers that are not there as this program has them.
func watch(ctx context.Context, db *sql.DB) error {
	for name, statement := range triggers() {
		var have string
		err := db.QueryRowContext(ctx, "SELECT coalesce(max(sql), '') FROM sqlite_schema WHERE type = 'trigger' AND name = ?", name).Scan(&have)
		if err != nil {
			return err
		}
		if have == statement {
			continue
		}
		if _, err := db.ExecContext(ctx, "DROP TRIGGER IF EXISTS "+name); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// unwatch takes the triggers away: a migration that makes a table anew must not
// stumble over those of another that name it.
func unwatch(ctx context.Context, db *sql.DB) error {
	for name := range triggers() {
		if _, err := db.ExecContext(ctx, "DROP TRIGGER IF EXISTS "+name); err != nil {
			return err
		}
	}
	return nil
}

// Since is what may have changed since a Revision.
func (s *Store) Since(ctx context.Context, r addressing.Revision, also []string) (addressing.Delta, error) {
	var out addressing.Delta
	err := s.View(ctx, func(read addressing.ReadTx) error {
		var err error
		out, err = read.(*tx).since(r, also)
		return err
	})
	if err != nil {
		return addressing.Delta{}, err
	}
	return out, nil
}

func (t *tx) since(r addressing.Revision, also []string) (addressing.Delta, error) {
	now, watching, err := t.revision()
	if err != nil {
		return addressing.Delta{}, err
	}
	d := addressing.Delta{Revision: now}
	if !watching || r.Schema != now.Schema || r.Changes > now.Changes {
		d.Whole = true
	} else if d.Accounts, err = t.changedSince(r.Changes); err != nil {
		return d, err
	} else if slices.Contains(d.Accounts, "") {
		d.Whole, d.Accounts = true, nil
	}
	if d.Whole {
		d.State, err = t.state()
		return d, err
	}
	d.Accounts = append(d.Accounts, also...)
	slices.Sort(d.Accounts)
	d.Accounts = slices.Compact(d.Accounts)
	d.State, err = t.stateOf(d.Accounts)
	return d, err
}

// revision is the one that this transaction sees. watching is false if a
// trigger is missing: then nobody knows what has changed.
func (t *tx) revision() (r addressing.Revision, watching bool, err error) {
	scan := func(rows *sql.Rows, v *[3]int64) error { return rows.Scan(&v[0], &v[1], &v[2]) }
	found, err := list(t, "revision", scan, "SELECT ifnull((SELECT max(n) FROM changed), 0), (SELECT schema_version FROM pragma_schema_version), "+
		"(SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'changed!_%' ESCAPE '!')")
	if err != nil {
		return r, false, err
	}
	v := found[0]
	return addressing.Revision{Changes: v[0], Schema: v[1]}, v[2] == int64(3*len(watched)), nil
}

func (t *tx) changedSince(n int64) ([]string, error) {
	return list(t, "changed account", func(rows *sql.Rows, id *string) error { return rows.Scan(id) }, "SELECT account_id FROM changed WHERE n > ?", n)
}

// stateOf is state, of these accounts alone.
func (t *tx) stateOf(accounts []string) (st addressing.State, err error) {
	head, err := t.AuditHead()
	if err != nil {
		return st, err
	}
	st.Version = head.Seq
	if st.Services, err = t.Services(); err != nil {
		return st, err
	}
	if st.Negative, err = list(t, "negative intent", scanIntent, "SELECT "+intentColumns+" FROM negative_intents WHERE account_id = ''"); err != nil {
		return st, err
	}
	for _, id := range accounts {
		if err := t.addAccount(&st, id); err != nil {
			return st, err
		}
	}
	sortByID(st.Accounts, func(a addressing.Account) string { return a.ID })
	sortByID(st.Negative, func(n addressing.NegativeIntent) string { return n.ID })
	sortPrefixes(st.Prefixes)
	sortBGPPrefixes(st.BGPPrefixes)
	sortBindings(st.Bindings)
	return st, nil
}

// addAccount adds what there is of one account, which may be gone.
func (t *tx) addAccount(st *addressing.State, id string) error {
	accounts, err := t.Accounts(addressing.OneAccount(id))
	if err != nil {
		return err
	}
	st.Accounts = append(st.Accounts, accounts...)
	negative, err := t.Intents(addressing.OneAccount(id))
	if err != nil {
		return err
	}
	st.Negative = append(st.Negative, negative...)
	prefixes, err := list(t, "prefix", scanPrefix, "SELECT "+prefixColumns+" FROM prefixes WHERE account_id = ? AND state <> 'tombstone'", id)
	if err != nil {
		return err
	}
	st.Prefixes = append(st.Prefixes, prefixes...)
	const alive = " b JOIN prefixes p ON p.id = b.prefix_id WHERE p.account_id = ? AND p.state <> 'tombstone'"
	routes, err := list(t, "BGP prefix", scanBGPPrefix, "SELECT "+bgpPrefixColumns+" FROM bgp_prefixes"+alive, id)
	if err != nil {
		return err
	}
	st.BGPPrefixes = append(st.BGPPrefixes, routes...)
	bindings, err := list(t, "binding", scanBinding, "SELECT "+bindingColumns+" FROM bindings"+alive, id)
	st.Bindings = append(st.Bindings, bindings...)
	return err
}
