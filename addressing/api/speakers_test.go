package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// pulled is a feed of one manifest and one part, and the register of speakers.
type pulled struct {
	mu      sync.Mutex
	another chan struct{}
	now     string
	reports []api.SpeakerReport
}

var (
	pulledID   = snapshots.ID(strings.Repeat("a", 64))
	pulledPart = snapshots.Sum(strings.Repeat("b", 64))
)

func (p *pulled) Pointer() (head, permit []byte, tag string, another <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []byte("head"), []byte("permit"), p.now, p.another
}

func (p *pulled) Manifest(id snapshots.ID) ([]byte, error) {
	if id != pulledID {
		return nil, fmt.Errorf("manifest: %w", snapshots.ErrUnknown)
	}
	return []byte("manifest"), nil
}

func (p *pulled) Part(sum snapshots.Sum) ([]byte, error) {
	if sum != pulledPart {
		return nil, fmt.Errorf("part: %w", snapshots.ErrUnknown)
	}
	return []byte("part"), nil
}

func (p *pulled) Bundle(w io.Writer, _, _ snapshots.ID) error {
	_, err := io.WriteString(w, ".\n")
	return err
}

func (p *pulled) Report(_ context.Context, _ string, r api.SpeakerReport) error {
	p.reports = append(p.reports, r)
	return nil
}

func (p *pulled) List(context.Context) ([]api.LoneSpeaker, error) {
	return []api.LoneSpeaker{}, nil
}

// A speaker's token does what a speaker does, and nothing else in the document.
func TestSpeakerRole(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	may := []string{"getSnapshotPointer", "getSnapshotManifest", "getSnapshotBundle", "getSnapshotPart", "reportSpeaker"}
	did := 0
	for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
		got := w.do("speaker", op.method, op.path, op.body, "Content-Type", op.media).status
		switch {
		case slices.Contains(may, op.id):
			if did++; got != http.StatusOK {
				t.Errorf("%s: %d, want 200", op.id, got)
			}
		case got < 400:
			t.Errorf("%s: %d for a speaker", op.id, got)
		}
	}
	if did != len(may) {
		t.Errorf("%d of %d operations are in the document", did, len(may))
	}
	if len(w.pulled.reports) == 0 {
		t.Error("the report was not filed")
	}
}

// A pointer that the caller knows is not sent again, and a caller that waits
// has the next one at once.
func TestPointerWaits(t *testing.T) {
	w := newWorld(t)
	w.pulled.now = "one"
	if r := w.do("speaker", "GET", "/v1/snapshots/pointer", ""); r.status != 200 || r.header.Get("ETag") != `"one"` {
		t.Fatalf("%d, ETag %q", r.status, r.header.Get("ETag"))
	}
	if r := w.do("speaker", "GET", "/v1/snapshots/pointer", "", "If-None-Match", `"one"`); r.status != http.StatusNotModified {
		t.Errorf("the same pointer: %d, want 304", r.status)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		w.pulled.mu.Lock()
		defer w.pulled.mu.Unlock()
		w.pulled.now = "two"
		close(w.pulled.another)
	}()
	if r := w.do("speaker", "GET", "/v1/snapshots/pointer?wait=25", "", "If-None-Match", `"one"`); r.status != 200 || r.header.Get("ETag") != `"two"` {
		t.Errorf("after the change: %d, ETag %q", r.status, r.header.Get("ETag"))
	}
	if r := w.do("speaker", "GET", "/v1/snapshots/parts/"+strings.Repeat("c", 64), ""); r.status != http.StatusNotFound {
		t.Errorf("a part that nobody has: %d, want 404", r.status)
	}
}
