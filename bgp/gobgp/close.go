package gobgp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
	"golang.org/x/sys/unix"

	"github.com/holdfast-bgp/holdfast/bgp"
)

// closeTimeout bounds each part of Close.
const closeTimeout = 3 * time.Second

// Close ends the sessions without NOTIFICATION: GoBGP's own stop sends a Cease,
// to a neighbor with RFC 8538 a Hard Reset, and the neighbor drops every route.
// Close therefore shuts the TCP connections down under GoBGP, waits until no
// session is established, and only then stops GoBGP. When that does not work in
// time GoBGP is left alone and the error says so: then exit the process, which
// closes the connections in the same way.
func (s *Speaker) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.applying.Lock() // a running Apply stops at its next path
	defer s.applying.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.disconnect(ctx)
	s.stop()
	s.done.Wait()
	if err != nil {
		return fmt.Errorf("close: %w; exit the process to close the sessions", err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.server.StopBgp(context.Background(), &api.StopBgpRequest{}) }()
	select {
	case err = <-stopped:
	case <-time.After(closeTimeout):
		err = errors.New("GoBGP does not stop")
	}
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// disconnect shuts connections down until no session is up.
func (s *Speaker) disconnect(ctx context.Context) error {
	for {
		if err := s.shutdownSockets(); err != nil {
			return err
		}
		up, err := established(ctx, s.server)
		if err != nil || up == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d sessions are still up: %w", up, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// established asks GoBGP itself how many sessions are up, in time bounded by ctx.
func established(ctx context.Context, engine *server.BgpServer) (int, error) {
	answer := make(chan int, 1)
	go func() {
		up := 0
		err := engine.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
			if states[p.GetState().GetSessionState()] == bgp.Established {
				up++
			}
		})
		if err == nil {
			answer <- up
		}
	}()
	select {
	case up := <-answer:
		return up, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("GoBGP does not answer: %w", ctx.Err())
	}
}

// shutdownSockets shuts down every TCP connection of this process to a
// neighbor. GoBGP has no way to be asked for its connections.
func (s *Speaker) shutdownSockets() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("find connections: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || !s.isSession(fd) {
			continue
		}
		// An error means that the connection is gone, which is what is wanted.
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	}
	return nil
}

// isSession reports whether fd is a connection to a neighbor, dialed at its
// port or accepted at ours.
func (s *Speaker) isSession(fd int) bool {
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	from, to := addrPort(local), addrPort(remote)
	index, known := s.byAddress[to.Addr()]
	if !known {
		return false
	}
	return to.Port() == s.neighbors[index].Port || s.port != 0 && from.Port() == s.port
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
