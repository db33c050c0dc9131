package snapshots

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
)

// Trial is what is known of the generations that were handed to the speaker
// and that no process has yet lived with for long enough. It is a plain file
// beside the pin, and outlives the process: an open one that a start finds is
// of a process that crashed.
type Trial struct {
	ID          ID      `json:"id,omitempty"` // handed over last; empty once it has proved itself
	Generation  uint64  `json:"generation,omitempty"`
	At          int64   `json:"at,omitempty"` // Unix nanoseconds
	Crashes     []Crash `json:"crashes,omitempty"`
	Quarantined []ID    `json:"quarantined,omitempty"`
}

// Crash counts the processes that a snapshot has ended.
type Crash struct {
	ID    ID  `json:"id"`
	Count int `json:"count"`
}

const (
	trialFile = "trial.json"

	// maxTried bounds the lists of a Trial; the oldest entries go.
	maxTried = 16
)

// Trial reads the trial. One that cannot be read is noted as Damage and tells
// nothing: the last-known-good boots as ever.
func (d *Dir) Trial() Trial {
	path := filepath.Join(d.root, trialFile)
	raw, err := readFile(path, maxHeadBytes)
	if missing(err) {
		return Trial{}
	}
	var t Trial
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil {
		d.note(path, err, false)
		return Trial{}
	}
	return t
}

// SetTrial writes the trial.
func (d *Dir) SetTrial(t Trial) error {
	raw, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", trialFile, err)
	}
	return writeFile(filepath.Join(d.root, trialFile), append(raw, '\n'), 0o600)
}

// Crashed is t with one more crash of what is on trial, and how many that makes.
func (t Trial) Crashed() (Trial, int) {
	t.Crashes = slices.Clone(t.Crashes)
	i := slices.IndexFunc(t.Crashes, func(c Crash) bool { return c.ID == t.ID })
	if i < 0 {
		if len(t.Crashes) >= maxTried {
			t.Crashes = t.Crashes[1:]
		}
		i, t.Crashes = len(t.Crashes), append(t.Crashes, Crash{ID: t.ID})
	}
	t.Crashes[i].Count++
	return t, t.Crashes[i].Count
}

// Quarantine is t with a snapshot that may not come back by itself.
func (t Trial) Quarantine(id ID) Trial {
	t.Quarantined = append(exceptID(t.Quarantined, id), id)
	if len(t.Quarantined) > maxTried {
		t.Quarantined = t.Quarantined[1:]
	}
	return t
}

// Proved is t after a process lived long enough with the snapshots, or ended in
// order: nothing is held against them, and nothing is on trial.
func (t Trial) Proved(ids ...ID) Trial {
	t.ID, t.Generation, t.At = "", 0, 0
	t.Crashes = slices.DeleteFunc(slices.Clone(t.Crashes), func(c Crash) bool { return slices.Contains(ids, c.ID) })
	for _, id := range ids {
		t.Quarantined = exceptID(t.Quarantined, id)
	}
	return t
}

func exceptID(ids []ID, id ID) []ID {
	return slices.DeleteFunc(slices.Clone(ids), func(have ID) bool { return have == id })
}
