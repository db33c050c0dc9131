package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Source makes samples. An error, or none at all, is silence: it holds.
type Source interface {
	Sample(ctx context.Context, at time.Time) ([]Sample, error)
	// Every is how often to ask, and how long one answer may take at most.
	Every() time.Duration
	Name() string
}

const maxAnswer = 32 << 20

// Prometheus asks a Prometheus server for the requests and errors of the last
// interval, by account_id, site and service.
type Prometheus struct {
	URL      string // e.g. http://127.0.0.1:9090
	Requests string // PromQL; its result carries the labels account_id, site and service
	Errors   string
	Interval time.Duration
	Client   *http.Client // nil is http.DefaultClient
}

// Every implements Source.
func (p Prometheus) Every() time.Duration { return p.Interval }

// Name implements Source.
func (p Prometheus) Name() string { return "prometheus " + p.URL }

// Sample implements Source.
func (p Prometheus) Sample(ctx context.Context, at time.Time) ([]Sample, error) {
	requests, err := p.query(ctx, p.Requests, at)
	if err != nil {
		return nil, err
	}
	errs, err := p.query(ctx, p.Errors, at)
	if err != nil {
		return nil, err
	}
	out := make([]Sample, 0, len(requests))
	for k, n := range requests {
		out = append(out, Sample{Account: k.account, Site: k.site, Service: k.service, At: at, Requests: n, Errors: min(errs[k], n)})
	}
	return out, nil
}

// answer of the HTTP API, as far as it is used here.
type answer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string `json:"resultType"`
		Result []struct {
			Metric map[string]string `json:"metric"`
			Value  [2]any            `json:"value"`
		} `json:"result"`
	} `json:"data"`
}

func (p Prometheus) query(ctx context.Context, promql string, at time.Time) (map[key]float64, error) {
	out := map[key]float64{}
	err := p.vector(ctx, promql, at, func(metric map[string]string, v float64) error {
		k := key{metric["account_id"], metric["site"], metric["service"]}
		if k.account == "" || k.site == "" || k.service == "" {
			return errors.New("prometheus: a result lacks the label account_id, site or service: sum by them")
		}
		out[k] += v
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// vector asks one query and hands on every result that is a number; any other
// one is silent.
func (p Prometheus) vector(ctx context.Context, promql string, at time.Time, each func(metric map[string]string, v float64) error) error {
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	q := url.Values{"query": {promql}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/api/v1/query?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&a); err != nil {
		return fmt.Errorf("prometheus: %s: %w", res.Status, err)
	}
	switch {
	case a.Status != "success":
		return fmt.Errorf("prometheus: %s: %s", res.Status, a.Error)
	case a.Data.Type != "vector":
		return fmt.Errorf("prometheus: the query gives a %s, a vector is needed", a.Data.Type)
	}
	for _, r := range a.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || v < 0 {
			continue // no number: that series is silent
		}
		if err := each(r.Metric, v); err != nil {
			return err
		}
	}
	return nil
}

// HTTPProbe asks a URL: an answer below 500 within the interval is a success.
type HTTPProbe struct {
	Key      Sample // account, site and service
	URL      string
	Interval time.Duration
	Client   *http.Client // nil is http.DefaultClient
}

// Every implements Source.
func (p HTTPProbe) Every() time.Duration { return p.Interval }

// Name implements Source.
func (p HTTPProbe) Name() string { return "probe " + p.URL }

// Sample implements Source.
func (p HTTPProbe) Sample(ctx context.Context, at time.Time) ([]Sample, error) {
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	return probed(p.Key, at, err == nil && res.StatusCode < http.StatusInternalServerError), nil
}

// TCPProbe connects: a connection within the interval is a success.
type TCPProbe struct {
	Key      Sample // account, site and service
	Address  string
	Interval time.Duration
}

// Every implements Source.
func (p TCPProbe) Every() time.Duration { return p.Interval }

// Name implements Source.
func (p TCPProbe) Name() string { return "probe " + p.Address }

// Sample implements Source.
func (p TCPProbe) Sample(ctx context.Context, at time.Time) ([]Sample, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.Address)
	if err == nil {
		_ = c.Close()
	}
	return probed(p.Key, at, err == nil), nil
}

// probeWeight makes one probe count as much as the fewest requests that say
// anything.
const probeWeight = 20

func probed(k Sample, at time.Time, ok bool) []Sample {
	k.At, k.Requests, k.Errors = at, probeWeight, 0
	if !ok {
		k.Errors = probeWeight
	}
	return []Sample{k}
}
