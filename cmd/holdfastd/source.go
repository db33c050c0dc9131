package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/irr"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
	"github.com/holdfast-bgp/holdfast/policy/rpki/rtr"
)

// rtrTimeout bounds the dialling of a cache and each wait within an answer.
const rtrTimeout = 30 * time.Second

// source keeps the last good data of something that is read again and again.
// What cannot be read leaves it as it is, and its age tells.
type source[T any] struct {
	name string
	log  *slog.Logger
	data atomic.Pointer[T]
	read atomic.Int64 // when it was last read whole, Unix nanoseconds

	mu  sync.Mutex
	why string // of the last failure, so that each is logged once
}

func (s *source[T]) took(v *T, err error, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.data.Store(v)
		s.read.Store(at.UnixNano())
		if s.why != "" {
			s.log.Info("source can be read again", "source", s.name)
		}
		s.why = ""
		return
	}
	if s.why == err.Error() {
		return
	}
	s.why = err.Error()
	s.log.Error("source cannot be read; the last good data stays", "source", s.name, "have_data", s.data.Load() != nil, "error", err)
}

// age of the data, false before the first.
func (s *source[T]) age(now time.Time) (time.Duration, bool) {
	at := s.read.Load()
	return now.Sub(time.Unix(0, at)), at != 0
}

func readFile[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	f, err := os.Open(path)
	if err != nil {
		var none T
		return none, err
	}
	defer f.Close()
	return read(f)
}

// sources is what prefixes are validated against.
type sources struct {
	cfg  *config.Config
	vrps *source[rpki.Set]
	irr  *source[irr.Table]
}

func newSources(cfg *config.Config, log *slog.Logger) *sources {
	return &sources{cfg: cfg, vrps: &source[rpki.Set]{name: "rpki", log: log}, irr: &source[irr.Table]{name: "irr", log: log}}
}

// readFiles reads the files that are configured.
func (s *sources) readFiles(now time.Time) {
	if file := s.cfg.RPKI.File; file != "" {
		set, err := s.readVRPs(file)
		s.vrps.took(set, err, now)
	}
	if file := s.cfg.IRR.File; file != "" {
		table, err := readFile(file, irr.ReadTable)
		s.irr.took(table, err, now)
	}
}

func (s *sources) readVRPs(file string) (*rpki.Set, error) {
	payload, err := readFile(file, rpki.Read)
	if err != nil {
		return nil, err
	}
	return s.except(payload.VRPs)
}

// except applies the local exceptions. If they cannot be read, nothing is taken.
func (s *sources) except(vrps []rpki.VRP) (*rpki.Set, error) {
	if file := s.cfg.RPKI.SLURM; file != "" {
		exceptions, err := readFile(file, rpki.ReadSLURM)
		if err != nil {
			return nil, err
		}
		vrps = exceptions.Apply(vrps)
	}
	return rpki.NewSet(vrps)
}

// follow keeps an RTR session until ctx ends; fresh is called after each table.
func (s *sources) follow(ctx context.Context, fresh func()) {
	version := uint8(rtr.Newest)
	for ctx.Err() == nil {
		err := s.session(ctx, version, fresh)
		if errors.Is(err, rtr.ErrOlder) && version > 0 {
			version--
			continue
		}
		version = rtr.Newest
		if ctx.Err() == nil {
			s.vrps.took(nil, err, time.Now())
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(rtrTimeout, s.cfg.RPKI.Refresh)):
		}
	}
}

func (s *sources) session(ctx context.Context, version uint8, fresh func()) error {
	dialer := net.Dialer{Timeout: rtrTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", s.cfg.RPKI.RTR)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	session := rtr.NewSession(conn, version, rtrTimeout)
	for {
		vrps, err := session.Sync()
		if err != nil {
			return err
		}
		set, err := s.except(vrps)
		s.vrps.took(set, err, time.Now())
		fresh()
		if err := session.Wait(time.Now().Add(s.cfg.RPKI.Refresh)); err != nil {
			return err
		}
	}
}

// Validate implements addressing.Validator for the RPKI step (RFC 6811).
func (s *sources) Validate(_ context.Context, c addressing.Claim) (addressing.ValidationState, error) {
	set := s.vrps.data.Load()
	if set == nil {
		return "", errors.New("rpki: no VRPs were read yet")
	}
	switch v := set.Validate(c.CIDR, c.ASN); v {
	case rpki.Valid:
		return addressing.ValidationValid, nil
	case rpki.InvalidASN:
		return addressing.ValidationMismatchASN, nil
	case rpki.InvalidLength:
		return addressing.ValidationInvalid, nil
	case rpki.NotFound:
		return addressing.ValidationMissing, nil
	default:
		return "", fmt.Errorf("rpki: no outcome %d", v)
	}
}

// registryFile is the IRR file as a source: one that was not read yet cannot
// be asked.
func (s *sources) registryFile() irr.Source {
	if t := s.irr.data.Load(); t != nil {
		return t
	}
	return unread{}
}

// local is the steps that ask no network: what every prefix is judged by again
// and again. Ownership is not among them, a token need not stay published.
func (s *sources) local() addressing.Validators {
	var v addressing.Validators
	if s.cfg.RPKI.File != "" || s.cfg.RPKI.RTR != "" {
		v.RPKI = s
	}
	if s.cfg.IRR.File != "" && s.cfg.IRR.Whois == "" {
		v.IRR = irr.Origin{Source: s.registryFile()}
	}
	return v
}

// every is all steps that have a source.
func (s *sources) every() addressing.Validators {
	v := s.local()
	var all irr.Sources
	if s.cfg.IRR.File != "" {
		all = append(all, s.registryFile())
	}
	if s.cfg.IRR.Whois != "" {
		all = append(all, irr.Whois{Address: s.cfg.IRR.Whois})
	}
	if len(all) > 0 {
		v.IRR, v.Ownership = irr.Origin{Source: all}, irr.Ownership{Source: all}
	}
	return v
}
