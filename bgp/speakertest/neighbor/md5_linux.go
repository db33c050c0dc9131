package neighbor

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// signWith returns a socket option that signs segments to and from peer with
// key (RFC 2385).
func signWith(peer netip.Addr, key string) func(network, address string, c syscall.RawConn) error {
	if key == "" {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
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
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptTCPMD5Sig(int(fd), unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
		})
		if err != nil {
			return err
		}
		return failed
	}
}
