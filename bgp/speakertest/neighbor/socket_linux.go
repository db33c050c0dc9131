package neighbor

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// options returns the socket options of the configuration towards peer.
func (c Config) options(peer netip.Addr) func(network, address string, rc syscall.RawConn) error {
	return func(network, _ string, rc syscall.RawConn) error {
		var failed error
		err := rc.Control(func(fd uintptr) {
			if c.MD5 != "" {
				failed = sign(int(fd), peer, c.MD5)
			}
			if c.TTL != 0 && failed == nil {
				failed = setTTL(int(fd), network, int(c.TTL))
			}
		})
		if err != nil {
			return err
		}
		return failed
	}
}

// sign signs segments to and from peer with key (RFC 2385).
func sign(fd int, peer netip.Addr, key string) error {
	sig := unix.TCPMD5Sig{Keylen: uint16(min(len(key), unix.TCP_MD5SIG_MAXKEYLEN))}
	copy(sig.Key[:], key)
	if peer.Is4() {
		sig.Addr.Family = unix.AF_INET
		a := peer.As4()
		copy(sig.Addr.Data[2:], a[:])
	} else {
		sig.Addr.Family = unix.AF_INET6
		a := peer.As16()
		copy(sig.Addr.Data[6:], a[:])
	}
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
}

func setTTL(fd int, network string, ttl int) error {
	if network == "tcp6" {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, ttl)
}
