package feed

import (
	"fmt"
	"regexp"
	"time"
)

// Report is what a speaker says of itself: which generation it acknowledges,
// what it refused or waits for, and what was seen at its sessions.
type Report struct {
	Speaker     string     `json:"speaker"`
	Environment string     `json:"environment"`
	Version     string     `json:"version"`
	At          time.Time  `json:"at"`
	StartedAt   time.Time  `json:"started_at"`
	Epoch       uint64     `json:"epoch"`
	Generation  uint64     `json:"generation"` // on the wire; 0 before the first
	SnapshotID  string     `json:"snapshot_id,omitempty"`
	AppliedAt   *time.Time `json:"applied_at,omitempty"`
	Staged      uint64     `json:"staged"`            // verified and not activated; 0 is none
	Waiting     string     `json:"waiting,omitempty"` // why staged is not activated
	Refused     string     `json:"refused,omitempty"` // why the feed's last offer was refused
	Pinned      bool       `json:"pinned"`
	Frozen      bool       `json:"frozen"`
	Neighbors   []Neighbor `json:"neighbors"`
	Events      []Event    `json:"events"` // since the last report that was taken, oldest first
}

// Neighbor is one session in a report.
type Neighbor struct {
	Name            string `json:"name"`
	State           string `json:"state"`
	Advertised      int    `json:"advertised"`
	Target          int    `json:"target"`
	SurvivalSeconds int64  `json:"survival_seconds"` // how long its routes stay without the speaker
}

// Event is something seen at a session. Prefixes counts; which they were is in
// the speaker's own log.
type Event struct {
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	Neighbor   string    `json:"neighbor"`
	Prefixes   int       `json:"prefixes"`
	Generation uint64    `json:"generation"`
	Why        string    `json:"why,omitempty"`
}

// Bounds of a report.
const (
	MaxReport    = 64 << 10 // bytes
	MaxEvents    = 100
	MaxNeighbors = 300
	maxText      = 1000
)

var speakerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Check judges a report as hostile input.
func (r Report) Check(speaker, environment string) error {
	switch {
	case !speakerName.MatchString(r.Speaker) || r.Speaker != speaker:
		return fmt.Errorf("speaker: %q is not the one that reports, %q", r.Speaker, speaker)
	case r.Environment != environment:
		return fmt.Errorf("environment: %q, this one is %q", r.Environment, environment)
	case len(r.Events) > MaxEvents || len(r.Neighbors) > MaxNeighbors:
		return fmt.Errorf("%d events and %d neighbors: at most %d and %d are taken", len(r.Events), len(r.Neighbors), MaxEvents, MaxNeighbors)
	case len(r.Waiting) > maxText || len(r.Refused) > maxText || len(r.Version) > maxText || len(r.SnapshotID) > maxText:
		return fmt.Errorf("a text is longer than %d bytes", maxText)
	}
	return nil
}

// Cut shortens a text to what a report may carry.
func Cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
