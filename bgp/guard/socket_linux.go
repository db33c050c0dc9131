package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 10 * time.Second

// dial connects to the neighbor with everything the transport asks for.
func dial(ctx context.Context, n *Neighbor) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1, ControlContext: func(_ context.Context, _, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error {
			if err := setMD5(fd, n.Address, n.MD5); err != nil {
				return err
			}
			return setTTL(fd, n)
		})
	}}
	if n.LocalAddress.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: n.LocalAddress.AsSlice()}
	}
	// Multipath TCP refuses MD5 and TTL options.
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, "tcp", netip.AddrPortFrom(n.Address, n.Port).String())
}

// listen opens a listener for the neighbors of its family.
func listen(ctx context.Context, at netip.AddrPort, neighbors []Neighbor) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1, Control: func(network, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error {
			v6 := strings.HasSuffix(network, "6")
			for _, n := range neighbors {
				if n.Address.Is4() == v6 {
					continue
				}
				if err := setMD5(fd, n.Address, n.MD5); err != nil {
					return fmt.Errorf("neighbor %q: %w", n.Name, err)
				}
			}
			// RFC 5082 section 3: the SYN-ACK must go out with 255 too, and who
			// will ask for that is not known before it.
			return setHops(fd, v6, 255)
		})
	}}
	lc.SetMultipathTCP(false)
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	return lc.Listen(ctx, network, at.String())
}

// adopt sets what an accepted connection needs of its own.
func adopt(conn net.Conn, n *Neighbor) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error { return setTTL(fd, n) })
}

func control(c syscall.RawConn, set func(fd int) error) error {
	var err error
	if cerr := c.Control(func(fd uintptr) { err = set(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// setMD5 makes the kernel sign and check segments to and from an address (RFC
// 2385). No key is no option.
func setMD5(fd int, address netip.Addr, key string) error {
	if key == "" {
		return nil
	}
	return putMD5(fd, address, key)
}

// resetMD5 is setMD5 for a socket that may have another key for the address: no
// key takes it away.
func resetMD5(fd int, address netip.Addr, key string) error {
	err := putMD5(fd, address, key)
	if key == "" && errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func putMD5(fd int, address netip.Addr, key string) error {
	sig := unix.TCPMD5Sig{Keylen: uint16(copy(make([]byte, maxMD5), key))}
	copy(sig.Key[:], key)
	if address.Is4() {
		sig.Addr.Family = unix.AF_INET
		a := address.As4()
		copy(sig.Addr.Data[2:], a[:])
	} else {
		sig.Addr.Family = unix.AF_INET6
		a := address.As16()
		copy(sig.Addr.Data[6:], a[:])
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig); err != nil {
		return fmt.Errorf("md5: %w", err)
	}
	return nil
}

// setTTL limits how far a session reaches: RFC 5082 with TTL security, else one
// hop to an eBGP neighbor.
func setTTL(fd int, n *Neighbor) error {
	v6 := n.Address.Is6()
	if n.TTLSecurity {
		// RFC 5082 section 3: send 255, discard what arrives with less than 255.
		if err := setHops(fd, v6, 255); err != nil {
			return err
		}
		level, option := unix.IPPROTO_IP, unix.IP_MINTTL
		if v6 {
			level, option = unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT
		}
		if err := unix.SetsockoptInt(fd, level, option, 255); err != nil {
			return fmt.Errorf("ttl security: %w", err)
		}
		return nil
	}
	switch {
	case n.Multihop > 0:
		return setHops(fd, v6, int(n.Multihop))
	case n.internal():
		return setHops(fd, v6, 64)
	}
	return setHops(fd, v6, 1)
}

func setHops(fd int, v6 bool, hops int) error {
	level, option := unix.IPPROTO_IP, unix.IP_TTL
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	if err := unix.SetsockoptInt(fd, level, option, hops); err != nil {
		return fmt.Errorf("ttl %d: %w", hops, err)
	}
	return nil
}
