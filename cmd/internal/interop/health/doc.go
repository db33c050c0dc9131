// Package health is tests of the health sources against the real thing: a
// Prometheus that scrapes an exporter of the test's own.
package health
