package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/prometheus/client_golang/prometheus"
)

// reportEvery is how often a speaker that runs alone reports when nothing
// changes; one that misses six in a row is silent.
const (
	reportEvery = 10 * time.Second
	silentAfter = 6 * reportEvery
)

// speakers is what speakers that run alone said last: one file each, so that a
// restart forgets nobody, and one that is fed by directory writes its file
// itself.
type speakers struct {
	dir         string
	environment string
	generation  func() uint64 // the daemon's own

	mu sync.Mutex // of writing
}

var _ api.Speakers = (*speakers)(nil)

// Report implements api.Speakers.
func (s *speakers) Report(_ context.Context, name string, report api.SpeakerReport) error {
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := s.judge(name, raw); err != nil {
		return &addressing.Error{Code: addressing.CodeInvalid, Op: "speaker report", Detail: err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("speaker report: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(s.dir, name+".json"), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("speaker report: %w", err)
	}
	return nil
}

func (s *speakers) judge(name string, raw []byte) (feed.Report, error) {
	var r feed.Report
	if len(raw) > feed.MaxReport {
		return r, fmt.Errorf("report is larger than %d bytes", feed.MaxReport)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, err
	}
	return r, r.Check(name, s.environment)
}

// List implements api.Speakers. The age is the file's, by this machine's clock.
func (s *speakers) List(context.Context) ([]api.LoneSpeaker, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "speakers", Detail: err.Error()}
	}
	out := []api.LoneSpeaker{}
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), ".json")
		if !found {
			continue
		}
		if one, err := s.read(name); err == nil {
			out = append(out, one)
		}
	}
	return out, nil
}

func (s *speakers) read(name string) (api.LoneSpeaker, error) {
	path := filepath.Join(s.dir, name+".json")
	info, err := os.Stat(path)
	if err != nil || info.Size() > feed.MaxReport {
		return api.LoneSpeaker{}, fmt.Errorf("speaker %s: no report: %w", name, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return api.LoneSpeaker{}, err
	}
	if _, err := s.judge(name, raw); err != nil {
		return api.LoneSpeaker{}, err
	}
	out := api.LoneSpeaker{Name: name}
	if err := json.Unmarshal(raw, &out.Report); err != nil {
		return out, err
	}
	age := max(time.Since(info.ModTime()), 0)
	out.Generation, out.AgeSeconds, out.Silent = out.Report.Generation, int64(age.Seconds()), age > silentAfter
	out.Behind = max(int64(s.generation())-out.Generation, 0)
	return out, nil
}

// risks names speakers that a person should look at.
func (s *speakers) risks() []string {
	all, err := s.List(context.Background())
	if err != nil {
		return []string{"the reports of speakers cannot be read: " + err.Error()}
	}
	var out []string
	for _, one := range all {
		switch r := one.Report; {
		case one.Silent:
			out = append(out, fmt.Sprintf("speaker %s was last heard of %s ago at generation %d", one.Name, time.Duration(one.AgeSeconds)*time.Second, one.Generation))
		case r.Refused != nil:
			out = append(out, fmt.Sprintf("speaker %s refuses what it is fed and stays at generation %d: %s", one.Name, one.Generation, *r.Refused))
		case r.Waiting != nil:
			out = append(out, fmt.Sprintf("speaker %s stays at generation %d: %s", one.Name, one.Generation, *r.Waiting))
		}
	}
	return out
}

var (
	speakerGenerationDesc = prometheus.NewDesc("holdfast_speaker_generation", "Generation that a speaker running alone has on the wire, as it last reported.", []string{"speaker"}, nil)
	speakerBehindDesc     = prometheus.NewDesc("holdfast_speaker_behind_generations", "Generations that a speaker running alone is behind this daemon.", []string{"speaker"}, nil)
	speakerAgeDesc        = prometheus.NewDesc("holdfast_speaker_report_age_seconds", "Time since a speaker running alone last reported.", []string{"speaker"}, nil)
)

// Describe implements prometheus.Collector.
func (s *speakers) Describe(ch chan<- *prometheus.Desc) {
	ch <- speakerGenerationDesc
	ch <- speakerBehindDesc
	ch <- speakerAgeDesc
}

// Collect implements prometheus.Collector.
func (s *speakers) Collect(ch chan<- prometheus.Metric) {
	all, err := s.List(context.Background())
	if err != nil {
		return
	}
	for _, one := range all {
		ch <- prometheus.MustNewConstMetric(speakerGenerationDesc, prometheus.GaugeValue, float64(one.Generation), one.Name)
		ch <- prometheus.MustNewConstMetric(speakerBehindDesc, prometheus.GaugeValue, float64(one.Behind), one.Name)
		ch <- prometheus.MustNewConstMetric(speakerAgeDesc, prometheus.GaugeValue, float64(one.AgeSeconds), one.Name)
	}
}
