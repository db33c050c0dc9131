// Package health says whether a wave of a rollout does harm. It takes samples
// of requests and errors, keyed by account, site and service, and gives one of
// pass, fail and no data: the accounts that the rollout touched are compared
// with themselves before it, and with the accounts that it did not touch.
//
// Judging reads no clock and no network: time travels in the question. The
// sources (Prometheus, HTTP and TCP probes) only make samples. Silence is never
// taken for health, and nothing here changes anything.
package health
