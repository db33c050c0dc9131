package health_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

var start = time.Unix(1_800_000_000, 0)

// scene is 20 accounts at two sites that speak every five seconds; the rollout
// touches a0 to a4 and its wave is on the wire since minute 5.
type scene struct {
	board *health.Board
	since time.Time
	at    time.Time
}

func newScene(t *testing.T, until time.Duration, say func(account int, site string, s *health.Sample) bool) scene {
	t.Helper()
	sc := scene{board: health.NewBoard(health.Thresholds{}, []string{"removal"}), since: start.Add(5 * time.Minute)}
	for d := time.Duration(0); d <= until; d += 5 * time.Second {
		sc.at = start.Add(d)
		var all []health.Sample
		for a := range 20 {
			for _, site := range []string{"ams", "fra"} {
				s := health.Sample{Account: fmt.Sprintf("a%d", a), Site: site, Service: "cdn", At: sc.at, Requests: 100}
				if sc.at.Before(sc.since) || say(a, site, &s) {
					all = append(all, s)
				}
			}
		}
		if err := sc.board.Add(all); err != nil {
			t.Fatal(err)
		}
	}
	return sc
}

func (s scene) ask() health.Answer {
	return s.board.Judge(health.Question{Class: "removal", Since: s.since, At: s.at, Accounts: []string{"a0", "a1", "a2", "a3", "a4"}})
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(account int, site string, s *health.Sample) bool
		want health.Verdict
		why  string
	}{
		{"all is well", func(int, string, *health.Sample) bool { return true }, health.Pass, ""},
		{"one changed account at 20 %", func(a int, _ string, s *health.Sample) bool {
			if a == 3 {
				s.Errors = 20
			}
			return true
		}, health.Fail, "a3"},
		{"one changed account at 20 %, at one site", func(a int, site string, s *health.Sample) bool {
			if a == 3 && site == "ams" {
				s.Errors = 20
			}
			return true
		}, health.Fail, "ams"},
		{"an account that was not touched", func(a int, _ string, s *health.Sample) bool {
			if a == 7 {
				s.Errors = 100
			}
			return true
		}, health.Pass, ""},
		{"everybody is a little worse: not the change", func(_ int, _ string, s *health.Sample) bool {
			s.Errors = 4
			return true
		}, health.Pass, ""},
		{"the changed cohort is worse by 2 %", func(a int, _ string, s *health.Sample) bool {
			if a < 5 {
				s.Errors = 2
			}
			return true
		}, health.Fail, "changed accounts"},
		{"traffic falls to nothing", func(a int, _ string, s *health.Sample) bool {
			if a == 2 {
				s.Requests = 0
			}
			return true
		}, health.Fail, "a2"},
		{"traffic falls for everybody", func(_ int, _ string, s *health.Sample) bool {
			s.Requests = 30
			return true
		}, health.Pass, ""},
		{"a changed account falls silent", func(a int, _ string, _ *health.Sample) bool { return a != 1 }, health.NoData, "a1"},
		{"one site of two falls silent", func(_ int, site string, _ *health.Sample) bool { return site != "ams" }, health.NoData, "1 of 2 sites"},
		{"silence", func(int, string, *health.Sample) bool { return false }, health.NoData, "silent"},
		{"under attack", func(a int, _ string, s *health.Sample) bool {
			if a == 3 {
				s.Errors, s.UnderAttack = 90, true
			}
			return true
		}, health.Pass, ""},
	} {
		sc := newScene(t, 7*time.Minute, c.say)
		if got := sc.ask(); got.Verdict != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %s (%s), want %s", c.name, got.Verdict, got.Why, c.want)
		}
	}
}

// What is small in the whole is hidden from a global number, and not here:
// 20 % of one of 400 is 0.05 % of all (D9).
func TestGlobalAlertingWouldMissIt(t *testing.T) {
	board := health.NewBoard(health.Thresholds{}, []string{"removal"})
	since := start.Add(5 * time.Minute)
	var requests, errors float64
	for d := time.Duration(0); d <= 330*time.Second; d += 5 * time.Second {
		var all []health.Sample
		for a := range 400 {
			s := health.Sample{Account: fmt.Sprintf("a%d", a), Site: "fra", Service: "cdn", At: start.Add(d), Requests: 100}
			if a == 17 && d > 5*time.Minute {
				s.Errors = 20
			}
			if d > 5*time.Minute {
				requests, errors = requests+s.Requests, errors+s.Errors
			}
			all = append(all, s)
		}
		if err := board.Add(all); err != nil {
			t.Fatal(err)
		}
	}
	got := board.Judge(health.Question{Class: "removal", Since: since, At: start.Add(330 * time.Second), Accounts: []string{"a16", "a17"}})
	if ratio := errors / requests; ratio > 0.001 || got.Verdict != health.Fail || got.Account != "a17" {
		t.Errorf("%.4f of all, %+v", ratio, got)
	}
}

func TestNothingConfigured(t *testing.T) {
	if got := health.NewBoard(health.Thresholds{}, []string{"neighbor"}).Judge(health.Question{Class: "removal"}); got.Verdict != health.Unmonitored {
		t.Error(got)
	}
	if got := health.NewBoard(health.Thresholds{}, []string{"removal"}).Judge(health.Question{Class: "removal", At: start}); got.Verdict != health.NoData {
		t.Error(got)
	}
	if health.Verdict(0) != health.NoData {
		t.Error("the zero verdict does not hold")
	}
}

// All or nothing: one bad sample and none of them counts.
func TestBadSamples(t *testing.T) {
	good := health.Sample{Account: "a", Site: "s", Service: "x", At: start, Requests: 1}
	for _, bad := range []health.Sample{
		{Site: "s", Service: "x", At: start}, {Account: "a", Service: "x", At: start}, {Account: "a", Site: "s", At: start}, {Account: "a", Site: "s", Service: "x"},
		{Account: "a", Site: "s", Service: "x", At: start, Requests: 1, Errors: 2}, {Account: "a", Site: "s", Service: "x", At: start, Requests: -1},
	} {
		b := health.NewBoard(health.Thresholds{}, nil)
		if err := b.Add([]health.Sample{good, bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
		if known, _ := b.Count(start); known != 0 {
			t.Errorf("%d series after a refused report", known)
		}
	}
}

func TestPrometheusAnswers(t *testing.T) {
	reply := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query" || r.URL.Query().Get("time") == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, reply, r.URL.Query().Get("query"))
	}))
	defer srv.Close()
	p := health.Prometheus{URL: srv.URL, Requests: "100", Errors: "20", Interval: time.Second}
	const series = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"account_id":"a","site":"s","service":"x"},"value":[1,"%s"]}]}}`
	reply = series
	got, err := p.Sample(t.Context(), start)
	if err != nil || len(got) != 1 || got[0].Requests != 100 || got[0].Errors != 20 || got[0].Account != "a" {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"%.0s", `{"status":"error","error":"x%.0s"}`, `{"status":"success","data":{"resultType":"scalar%.0s","result":[]}}`,
		strings.Replace(series, `"site":"s",`, "", 1)} {
		reply = bad
		if got, err := p.Sample(t.Context(), start); err == nil {
			t.Errorf("%s gave %+v", bad, got)
		}
	}
	// No number is silence, not health.
	p.Requests, reply = "NaN", series
	if got, err := p.Sample(t.Context(), start); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
}

func TestLoads(t *testing.T) {
	const series = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"%s":"fra"},"value":[1,"1000"]},{"metric":{"%[1]s":"ams"},"value":[1,"NaN"]}]}}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, series, r.URL.Query().Get("query"))
	}))
	defer srv.Close()
	q := health.LoadQuery{Prometheus: health.Prometheus{URL: srv.URL}, Sites: "site", Neighbors: "neighbor"}
	got, err := q.Loads(t.Context(), start)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	l := health.Loads{Silence: time.Minute}
	if _, known := l.Site("fra", start); known {
		t.Error("a load is known that nobody said")
	}
	if err := l.Add(got); err != nil {
		t.Fatal(err)
	}
	for _, of := range []func(string, time.Time) (float64, bool){l.Site, l.Neighbor} {
		if n, known := of("fra", start.Add(time.Minute)); n != 1000 || !known {
			t.Errorf("%v %v after a minute", n, known)
		}
		if _, known := of("fra", start.Add(61*time.Second)); known {
			t.Error("a load is known although its source is silent")
		}
		if _, known := of("ams", start); known {
			t.Error("no number became a load")
		}
	}
	older := health.Load{Site: "fra", At: start.Add(-time.Second), Bits: 5}
	if err := l.Add([]health.Load{older}); err != nil {
		t.Fatal(err)
	}
	if n, _ := l.Site("fra", start); n != 1000 {
		t.Errorf("an older load took the newer one's place: %v", n)
	}
	for _, bad := range []health.Load{{At: start}, {Site: "a", Neighbor: "b", At: start}, {Site: "a"}, {Site: "a", At: start, Bits: -1}, {Site: "a", At: start, Bits: math.NaN()}} {
		if err := l.Add([]health.Load{older, bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	q.Sites, q.Neighbors = "other", ""
	if got, err := q.Loads(t.Context(), start); err == nil {
		t.Errorf("a result without its label gave %+v", got)
	}
	srv.Close()
	q.Sites = "site"
	if got, err := q.Loads(t.Context(), start); err == nil {
		t.Errorf("nobody answered, and it gave %+v", got)
	}
}

func TestProbes(t *testing.T) {
	status := 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer srv.Close()
	key := health.Sample{Account: "a", Site: "s", Service: "x"}
	web := health.HTTPProbe{Key: key, URL: srv.URL, Interval: time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp := health.TCPProbe{Key: key, Address: l.Addr().String(), Interval: time.Second}
	check := func(s health.Source, ok bool) {
		t.Helper()
		got, err := s.Sample(context.Background(), start)
		if err != nil || len(got) != 1 || (got[0].Errors == 0) != ok || got[0].Check() != nil {
			t.Errorf("%s: %+v %v, want success %v", s.Name(), got, err, ok)
		}
	}
	check(web, true)
	check(tcp, true)
	status = 503
	l.Close()
	check(web, false)
	check(tcp, false)
	b := health.NewBoard(health.Thresholds{}, nil)
	good, _ := health.HTTPProbe{Key: key, URL: "http://127.0.0.1:1", Interval: time.Second}.Sample(context.Background(), start)
	if err := b.Add(good); err != nil || b.Alive("x", "s", start) || b.Alive("y", "s", start) {
		t.Error("a service that does not answer is alive")
	}
}
