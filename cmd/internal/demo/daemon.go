//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// What the demo's daemon and neighbor are. The AS numbers and next hops are
// reserved for documentation (RFC 5398, RFC 5737, RFC 3849).
const (
	environment = "demo"
	ourASN      = 64500
	theirASN    = 64510
	readyWithin = 10 * time.Second
)

var (
	ourAddress   = netip.MustParseAddr("127.0.0.1")
	theirAddress = netip.MustParseAddr("127.0.0.2")
	nextHop4     = netip.MustParseAddr("192.0.2.1")
	nextHop6     = netip.MustParseAddr("2001:db8::1")
)

// configuration is the one of the README with free ports and without the
// limit of requests per token, which would hold a runaway script back before
// the breaker has to.
const configuration = `environment: %s
data_dir: ./data
api:
  listen: %s
  rate_limit: {requests_per_second: 1000000, burst: 1000000}
admin: {socket: ./data/admin.sock}
metrics: {listen: %s}
breaker: {approval_mode: delayed_single, single_delay: 1s}
bgp:
  drain: {prefixes: 0s}
  asn: %d
  router_id: 192.0.2.1
  listen: ["%s"]
  neighbors:
    - name: transit-a
      address: %s
      port: %d
      asn: %d
      role: customer
      families: [ipv4-unicast, ipv6-unicast]
      next_hop: {ipv4: %s, ipv6: "%s"}
`

// daemon is holdfastd as a process.
type daemon struct {
	api    string // URL
	socket string
	data   string // its data directory

	cmd   *exec.Cmd
	log   string        // file
	ended chan struct{} // closed when it has ended
	err   error         // how; read after ended
}

// startDaemon writes a configuration, starts holdfastd with it and waits until
// it is ready.
func startDaemon(ctx context.Context, program, dir string, neighbor netip.AddrPort) (*daemon, time.Duration, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, 0, err
	}
	file := filepath.Join(dir, "holdfast.yaml")
	text := fmt.Sprintf(configuration, environment, ports[0], ports[1], ourASN, ports[2],
		neighbor.Addr(), neighbor.Port(), theirASN, nextHop4, nextHop6)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, 0, err
	}
	d := &daemon{
		api:    "http://" + ports[0].String(),
		data:   filepath.Join(dir, "data"),
		socket: filepath.Join(dir, "data", "admin.sock"),
		log:    filepath.Join(dir, "holdfastd.log"),
		ended:  make(chan struct{}),
	}
	begun := time.Now()
	if err := d.start(program, file); err != nil {
		return nil, 0, err
	}
	if err := d.awaitReady(ctx, begun.Add(readyWithin)); err != nil {
		d.stop()
		return nil, 0, fmt.Errorf("%w\n%s", err, d.logTail())
	}
	return d, time.Since(begun), nil
}

func (d *daemon) start(program, config string) error {
	log, err := os.Create(d.log)
	if err != nil {
		return err
	}
	defer log.Close() // the daemon has its own handle
	d.cmd = exec.Command(program, "serve", "--config", config)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = childAttributes()
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	return nil
}

// awaitReady asks /readyz until it says yes.
func (d *daemon) awaitReady(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	last := errors.New("not asked yet")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.api+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = answer.Body.Close() // only the status counts
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("/readyz answers %d", answer.StatusCode)
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-d.ended:
			return fmt.Errorf("the daemon ended: %v", d.err)
		case <-ctx.Done():
			return fmt.Errorf("the daemon is not ready after %s: %w", readyWithin, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop asks the daemon to end and waits; after five seconds it is killed.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	stopProcess(d.cmd, d.ended, 5*time.Second)
}

// logTail is the end of what the daemon wrote.
func (d *daemon) logTail() string {
	const most = 4 << 10
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(bytes.TrimSpace(text))
}

// freePorts finds addresses on loopback that nobody listens on now.
func freePorts(n int) ([]netip.AddrPort, error) {
	list := make([]netip.AddrPort, 0, n)
	for range n {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ourAddress, 0)))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // after the last one is found, so that all differ
		list = append(list, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return list, nil
}
