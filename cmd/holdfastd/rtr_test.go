package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
)

// rtrCache is a cache that answers every query with its whole table (RFC 8210
// section 8.1), and tells its clients when that changes.
type rtrCache struct {
	net.Listener
	mu    sync.Mutex
	vrps  map[string]uint32 // origin by prefix
	conns []net.Conn
	all   sync.WaitGroup
}

func newRTRCache(t *testing.T) *rtrCache {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &rtrCache{Listener: l, vrps: map[string]uint32{"22.0.0.0/24": 64999}}
	c.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			c.all.Go(func() { c.answer(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); c.drop(); c.all.Wait() })
	return c
}

// drop cuts every session.
func (c *rtrCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// set changes the table and notifies (RFC 8210 section 5.2).
func (c *rtrCache) set(prefix string, asn uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vrps[prefix] = asn
	for _, conn := range c.conns {
		_, _ = conn.Write(rtrPDU(1, 0, 7, []byte{0, 0, 0, 2}))
	}
}

func rtrPDU(version, kind byte, session uint16, body []byte) []byte {
	out := binary.BigEndian.AppendUint16([]byte{version, kind}, session)
	return append(binary.BigEndian.AppendUint32(out, uint32(8+len(body))), body...)
}

func (c *rtrCache) answer(conn net.Conn) {
	defer conn.Close()
	for {
		var header [8]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(header[4:]))-8); err != nil {
			return
		}
		if header[1] == 1 { // a serial query: the differences are gone, ask for all
			_, _ = conn.Write(rtrPDU(1, 8, 0, nil))
			continue
		}
		out := rtrPDU(1, 3, 7, nil)
		c.mu.Lock()
		for text, asn := range c.vrps {
			p := netip.MustParsePrefix(text)
			body := append([]byte{1, byte(p.Bits()), byte(p.Bits()), 0}, p.Addr().AsSlice()...)
			out = append(out, rtrPDU(1, 4, 0, binary.BigEndian.AppendUint32(body, asn))...)
		}
		out = append(out, rtrPDU(1, 7, 7, []byte{0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 2, 88, 0, 0, 28, 32})...)
		c.mu.Unlock()
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// TestValidationOverRTR: the daemon follows a cache. What it announces decides
// at once; what it takes back alerts and withdraws nothing; a cache that is
// gone leaves the last table in force.
func TestValidationOverRTR(t *testing.T) {
	d, cache := newDesk(t), newRTRCache(t)
	cfg := &config.Config{RPKI: config.RPKI{RTR: cache.Addr().String(), Refresh: time.Hour}}
	v := d.validation(cfg)
	p, _, err := d.registry.CreatePrefix(t.Context(), d.request(noon), addressing.NewPrefix{AccountID: d.account, CIDR: netip.MustParsePrefix("21.0.0.0/24"), ASN: 64500})
	d.must(err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { v.run(ctx) })
	defer running.Wait()
	defer stop()
	until := func(what string, holds func(addressing.PrefixDetail) bool) addressing.PrefixDetail {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			now, err := d.registry.Prefix(t.Context(), addressing.EveryAccount(), p.ID)
			d.must(err)
			if holds(now) {
				return now
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v\n%s", what, now.Prefix, d.log.String())
			}
		}
	}
	is := func(want addressing.ValidationState) func(addressing.PrefixDetail) bool {
		return func(now addressing.PrefixDetail) bool { return now.RPKI == want }
	}
	until("a table without it", is(addressing.ValidationMissing))
	cache.set("21.0.0.0/24", 64500)
	until("a ROA of this origin", is(addressing.ValidationValid))
	_, _, err = d.registry.ApprovePrefix(t.Context(), d.request(noon), p.ID, []string{"unverified"})
	d.must(err)
	_, _, err = d.registry.CreateBinding(t.Context(), d.request(noon), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: d.service})
	d.must(err)
	_, _, err = d.registry.AdvertisePrefix(t.Context(), d.request(noon), p.ID)
	d.must(err)
	cache.set("21.0.0.0/24", 64501)
	now := until("a ROA of another origin", is(addressing.ValidationMismatchASN))
	if !now.Advertised() || now.BarsAdvertising() != addressing.StepRPKI {
		t.Errorf("another origin: %+v", now)
	}
	cache.Close()
	cache.drop()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(d.log.String(), "the last good data stays"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nobody was told that the cache is gone:\n%s", d.log.String())
		}
	}
	if now := until("a cache that is gone", is(addressing.ValidationMismatchASN)); !now.Advertised() {
		t.Errorf("%+v", now)
	}
	if set := v.sources.vrps.data.Load(); set == nil || set.Len() != 2 {
		t.Error("the last table is gone with its cache")
	}
}
