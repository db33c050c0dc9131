package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// rollouts stands in for the pipeline's, and notes what was decided.
type rollouts struct{ *desk }

func (rollouts) Rollouts() []rollout.Rollout {
	return []rollout.Rollout{{ID: "r1-x", Class: rollout.Removal, Phase: rollout.Soaking, Monitor: "unmonitored", CreatedAt: time.Now(), Since: time.Now(),
		Waves: []plan.Wave{{Stage: "canary", Percent: 1, Soak: time.Minute, Items: []plan.Item{{Neighbor: "transit-a", Ops: 1}}}}, Released: 1, Applied: 1,
		Log: []rollout.Logged{{At: time.Now(), Event: rollout.Released, Phase: rollout.Running, Wave: 1}}}}
}

// Forecast puts withdrawals in two waves.
func (rollouts) Forecast(p plan.Plan) rollout.Forecast {
	stages := []plan.Stage{{Name: "canary", Percent: 1, Soak: time.Minute}, {Name: "all", Percent: 100, Soak: time.Minute}}
	out := rollout.Forecast{AtOnce: len(p.Changes), Waits: map[string]int{}}
	if items := p.Items(false); len(items) > 0 {
		out.Begins = &rollout.Rollout{Class: rollout.Removal, Monitor: "unmonitored", Waves: plan.Staging{Stages: stages}.Waves(items), Uncovered: []string{}}
		out.AtOnce -= out.Begins.Changes()
	}
	return out
}

func (r rollouts) Decide(_ context.Context, id string, verb rollout.EventKind, _ addressing.Actor, why string) (rollout.Rollout, error) {
	if id != "r1-x" {
		return rollout.Rollout{}, rollout.ErrUnknown
	}
	return r.Rollouts()[0], r.note("rollout "+string(verb), why)
}

type pushed struct{ *health.Board }

func (pushed) Pushed() bool { return true }

// carried takes loads in.
type carried struct{ *health.Loads }

func (carried) Pushed() bool { return true }

func withRollouts(c *api.Config, d *desk) {
	c.Rollouts = rollouts{d}
	c.Health = pushed{health.NewBoard(health.Thresholds{}, nil)}
	c.Loads = carried{&health.Loads{Silence: time.Minute}}
	c.Edge = edge.New(edge.Settings{}, nil, time.Now(), nil)
}

func TestRolloutVerbs(t *testing.T) {
	w := newWorld(t)
	w.api.Attach(nil) // without the database
	for _, verb := range []string{"pause", "promote", "abort"} {
		w.desk.done = nil
		for _, body := range []string{`{}`, `{"reason":""}`, `{"reason":"r","all":true}`} {
			if r := w.do("operator", "POST", "/v1/rollouts/r1-x/"+verb, body); r.status != 400 || len(w.desk.done) > 0 {
				t.Errorf("%s %s: %d, carried out %v", verb, body, r.status, w.desk.done)
			}
		}
		r := w.do("operator", "POST", "/v1/rollouts/r1-x/"+verb, `{"reason":"r"}`)
		if r.status != 200 || len(w.desk.done) != 1 || w.desk.done[0] != "rollout "+verb || !strings.Contains(string(r.body), `"neighbors":["transit-a"]`) {
			t.Errorf("%s: %d %s, carried out %v", verb, r.status, r.body, w.desk.done)
		}
		if r := w.do("operator", "POST", "/v1/rollouts/nobody/"+verb, `{"reason":"r"}`); r.status != 404 {
			t.Errorf("%s of nothing: %d %s", verb, r.status, r.body)
		}
	}
}

// A reporter says what machines saw, and may nothing else.
func TestReporter(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	report := `{"items":[{"account_id":"` + w.account + `","site":"fra","service":"cdn","requests":100,"errors":20}]}`
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v1/health", report, `"known":1`},
		{"POST", "/v1/health/loads", `{"items":[{"site":"fra","bits_per_second":1},{"neighbor":"transit-a","bits_per_second":0}]}`, `"fresh":2`},
		{"GET", "/v1/edge/bindings?machine=m1&site=fra", "", `"environment":"test"`},
	} {
		if r := w.do("reporter", c.method, c.path, c.body); r.status != 200 || !strings.Contains(string(r.body), c.want) {
			t.Errorf("%s: %d %s", c.path, r.status, r.body)
		}
	}
	may := map[string]bool{"reportHealth": true, "reportLoads": true, "watchEdgeBindings": true, "acknowledgeEdge": true}
	for _, op := range w.everyOperation(d.ID, d.BGP[0].ID, d.Bindings[0].ID) {
		if r := w.do("reporter", op.method, op.path, op.body, "Content-Type", op.media); r.status < 300 && !may[op.id] && op.id != "getAPIDocument" {
			t.Errorf("%s as a reporter: %d", op.id, r.status)
		}
	}
	for _, bad := range []string{`{"items":[]}`, `{}`, strings.Replace(report, `"errors":20`, `"errors":200`, 1), strings.Replace(report, `"fra"`, `""`, 1)} {
		if r := w.do("reporter", "POST", "/v1/health", bad); r.status != 400 {
			t.Errorf("%s: %d %s", bad, r.status, r.body)
		}
	}
	for _, bad := range []string{`{"items":[]}`, `{"items":[{"bits_per_second":1}]}`, `{"items":[{"site":"fra","neighbor":"a","bits_per_second":1}]}`, `{"items":[{"site":"fra","bits_per_second":-1}]}`} {
		if r := w.do("reporter", "POST", "/v1/health/loads", bad); r.status != 400 {
			t.Errorf("%s: %d %s", bad, r.status, r.body)
		}
	}
	for _, q := range []string{"", "?machine=m1", "?site=fra", "?machine=&site=fra", "?machine=m1&site=fra&wait=3600", "?machine=m1&site=fra&all=true"} {
		if r := w.do("reporter", "GET", "/v1/edge/bindings"+q, ""); r.status != 400 {
			t.Errorf("%q: %d %s", q, r.status, r.body)
		}
	}
	if r := w.do("reporter", "POST", "/v1/edge/acknowledgements", `{"machine":"m1","site":"fra","generation":9000000000000000000}`); r.status != 409 {
		t.Errorf("acknowledged what was never offered: %d %s", r.status, r.body)
	}
}
