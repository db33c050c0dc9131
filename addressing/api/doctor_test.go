package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// Examine implements api.Doctor with one finding of each kind.
func (d *desk) Examine(context.Context, time.Time) []api.Diagnosis {
	next := "mend it"
	return []api.Diagnosis{{Check: "a", Verdict: "ok", Detail: "well"}, {Check: "b", Verdict: "risk", Detail: "ill", Next: &next}, {Check: "c", Verdict: "warning", Detail: "so so", Next: &next}}
}

// Plan implements api.CleanupWorker.
func (d *desk) Plan(context.Context, time.Time) (api.CleanupState, error) {
	return api.CleanupState{Plan: "p", Cap: 10}, nil
}

// Approve implements api.CleanupWorker.
func (d *desk) Approve(_ context.Context, r api.CleanupApproval) (api.CleanupState, error) {
	return api.CleanupState{Plan: r.Plan, Approved: true}, d.note("approve cleanup", r)
}

// The worst finding is the verdict, whatever comes after it.
func TestDoctor(t *testing.T) {
	w := newWorld(t)
	r, err := w.client("observer").GetDoctorWithResponse(t.Context())
	if err != nil || r.JSON200 == nil {
		t.Fatalf("%v %s", err, r.Body)
	}
	if d := r.JSON200; d.Verdict != client.DoctorReportVerdictRisk || d.Count != 3 || d.Environment != "test" || d.Items[1].Next == nil || d.Items[0].Next != nil {
		t.Errorf("%+v", d)
	}
}

// What is in the active snapshot while no session is up is on no wire, and is
// not said to be.
func TestNothingIsOnTheWireWithoutASession(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	for down, want := range map[bool]string{
		false: "192.0.2.0/24: desired advertised, on the wire, sent to transit-a",
		true:  "192.0.2.0/24: desired advertised, in the active snapshot, but on no wire: no session is up",
	} {
		w.speaker.down = down
		var s client.PrefixStatus
		w.do("admin", "GET", "/v1/prefixes/"+d.ID, "").json(t, &s)
		if said, _, _ := strings.Cut(s.Summary, "; accepted by edge"); said != want || (len(s.SeenBy) == 0) != down {
			t.Errorf("without a session %v: %q, seen by %v; want %q", down, s.Summary, s.SeenBy, want)
		}
	}
}
