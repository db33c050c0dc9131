package sqlite

import (
	"errors"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// refuse is an error of the file itself.
func refuse(path, why, next string) error {
	return &addressing.Error{Code: addressing.CodeUnavailable, Op: "open database", Detail: path + ": " + why, Next: next}
}

// unavailable is any failure of SQLite that is not about the data.
func unavailable(op, path string, err error) error {
	e := &addressing.Error{Code: addressing.CodeUnavailable, Op: op, Detail: path + ": it cannot be used", Err: err,
		Next: "what is advertised stays; reads, rollback and restore go on from the snapshot"}
	var s sqlite3.Error
	if errors.As(err, &s) {
		if a, ok := advice[s.Code]; ok {
			e.Detail, e.Next = path+": "+a.why, a.next
		}
	}
	return e
}

// advice is the reason and the way forward by SQLite's code.
var advice = map[sqlite3.ErrNo]struct{ why, next string }{
	sqlite3.ErrFull:     {"the disk is full", "make room; nothing of the change was kept"},
	sqlite3.ErrReadonly: {"the file or its directory is read-only", "mend the permissions or the mount"},
	sqlite3.ErrPerm:     {"the file or its directory is closed to this user", "mend the permissions"},
	sqlite3.ErrCantOpen: {"the file or its directory cannot be opened", "mend the path and the permissions"},
	sqlite3.ErrCorrupt:  {"the file is damaged", "put a backup back, or move it away and rebuild it with `holdfast restore --all`"},
	sqlite3.ErrNotADB:   {"the file is no database", "put a backup back, or move it away and rebuild it with `holdfast restore --all`"},
	sqlite3.ErrBusy:     {"another program holds the database", "stop it"},
	sqlite3.ErrIoErr:    {"the disk failed", "look at the kernel's log"},
}

// constraint tells a row that does not fit from a database that does not work.
// It goes by the extended code, never by the text.
func constraint(err error, noun, unique string) *addressing.Error {
	var s sqlite3.Error
	if !errors.As(err, &s) || s.Code != sqlite3.ErrConstraint {
		return nil
	}
	e := &addressing.Error{Code: addressing.CodeConflict, Err: err}
	switch s.ExtendedCode {
	case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey, sqlite3.ErrConstraintRowID:
		e.Field, e.Detail, e.Next = unique, "there is a "+noun+" like this already", "use the one that is there"
	case sqlite3.ErrConstraintForeignKey, sqlite3.ErrConstraintTrigger: // the latter is ON DELETE RESTRICT
		e.Detail, e.Next = "the "+noun+" refers to something that is gone, or something refers to it", "remove what refers to it first"
	default:
		e.Code, e.Detail = addressing.CodeInvalid, "the "+noun+" does not fit the schema"
	}
	return e
}
