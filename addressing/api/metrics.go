package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the API. They belong to a Server, not to the process, so that two
// servers in one test do not meet.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	inflight prometheus.Gauge
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_api_requests_total",
			Help: "Requests by operation and status."}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_api_request_duration_seconds",
			Help: "Time to answer, by operation.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30}}, []string{"operation"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_api_panics_total",
			Help: "Handlers that panicked and were stopped at the boundary."}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_api_requests_in_flight",
			Help: "Requests being answered now."}),
	}
}

func (m *metrics) observe(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(operation).Observe(took.Seconds())
}

// Collectors are the server's metrics, for a registry of Prometheus.
func (s *Server) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.requests, s.metrics.seconds, s.metrics.panics, s.metrics.inflight}
}
