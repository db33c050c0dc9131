//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// feed is the harness's end of the neighbor's process.
type feed struct {
	listening netip.AddrPort

	cmd    *exec.Cmd
	in     io.WriteCloser
	routes chan []heldRoute
	ended  chan struct{} // closed when the reports end

	mu      sync.Mutex
	line    timeline
	downs   int
	changed chan struct{} // closed at the next change
}

// startNeighbor starts this program again as the neighbor and waits until it
// listens.
func startNeighbor(ctx context.Context, listen netip.AddrPort, peer netip.Addr, asn, peerASN uint32) (*feed, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, neighborVerb, "--listen", listen.String(), "--peer", peer.String(),
		"--asn", strconv.FormatUint(uint64(asn), 10), "--peer-asn", strconv.FormatUint(uint64(peerASN), 10))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = childAttributes()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the neighbor: %w", err)
	}
	f := newFeed(in)
	f.cmd = cmd
	first := make(chan netip.AddrPort, 1)
	go f.read(out, first)
	select {
	case f.listening = <-first:
		return f, nil
	case <-f.ended:
		f.stop()
		return nil, errors.New("the neighbor did not start")
	case <-ctx.Done():
		f.stop()
		return nil, ctx.Err()
	}
}

func newFeed(in io.WriteCloser) *feed {
	return &feed{in: in, routes: make(chan []heldRoute, 1), ended: make(chan struct{}), changed: make(chan struct{})}
}

// childAttributes end a child with the harness, and keep an interrupt at the
// terminal from reaching it before the harness has said goodbye.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// read takes the reports in.
func (f *feed) read(out io.Reader, first chan<- netip.AddrPort) {
	defer close(f.ended)
	for d := json.NewDecoder(bufio.NewReader(out)); ; {
		var r report
		if err := d.Decode(&r); err != nil {
			return
		}
		switch {
		case r.Listening.IsValid():
			first <- r.Listening
		case r.What == "routes":
			f.routes <- r.Routes
		default:
			f.record(r)
		}
	}
}

func (f *feed) record(r report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.What == "down" {
		f.downs++
	}
	f.line = append(f.line, sample{at: r.At, held: r.Held})
	close(f.changed)
	f.changed = make(chan struct{})
}

// stop ends the neighbor and waits for it.
func (f *feed) stop() {
	_ = f.in.Close() // its input's end ends it
	stopProcess(f.cmd, f.ended, 2*time.Second)
	_ = f.cmd.Wait() // it has ended; how does not matter
}

// stopProcess waits for a process to end and kills it when it does not.
func stopProcess(cmd *exec.Cmd, ended <-chan struct{}, within time.Duration) {
	select {
	case <-ended:
	case <-time.After(within):
		_ = cmd.Process.Kill()
		<-ended
	}
}

// timeline is a copy of what was reported so far.
func (f *feed) timeline() timeline {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.line)
}

// held is what the neighbor holds now.
func (f *feed) held() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.line) == 0 {
		return 0
	}
	return f.line[len(f.line)-1].held
}

// sessionsLost counts the sessions that ended.
func (f *feed) sessionsLost() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.downs
}

// await waits until the neighbor holds n prefixes and says since when, but not
// before from.
func (f *feed) await(ctx context.Context, n int, from time.Time) (time.Time, error) {
	for {
		f.mu.Lock()
		since, ok := f.line.reached(n, from)
		next := f.changed
		f.mu.Unlock()
		if ok {
			return since, nil
		}
		select {
		case <-next:
		case <-f.ended:
			return time.Time{}, errors.New("the neighbor's process ended")
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the neighbor holds %d prefixes, want %d: %w", f.held(), n, ctx.Err())
		}
	}
}

// settle waits until nothing has changed at the neighbor for a while, at most
// for a limit.
func (f *feed) settle(ctx context.Context, quiet, limit time.Duration) error {
	end := time.After(limit)
	for {
		f.mu.Lock()
		next := f.changed
		f.mu.Unlock()
		select {
		case <-next:
		case <-time.After(quiet):
			return nil
		case <-end:
			return nil
		case <-f.ended:
			return errors.New("the neighbor's process ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// table asks for the whole Adj-RIB-In.
func (f *feed) table(ctx context.Context) ([]heldRoute, error) {
	if _, err := io.WriteString(f.in, "routes\n"); err != nil {
		return nil, fmt.Errorf("ask the neighbor: %w", err)
	}
	select {
	case r := <-f.routes:
		return r, nil
	case <-f.ended:
		return nil, errors.New("the neighbor's process ended")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
