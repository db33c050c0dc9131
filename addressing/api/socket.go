package api

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// peerKey is the context key of the local user at the other end of a
// connection on the admin socket.
type peerKey struct{}

// peer is the outcome of asking the kernel who connected.
type peer struct {
	uid uint32
	err error
}

// ConnContext notes who is at the other end of a Unix socket (SO_PEERCRED).
// Give it to the http.Server of the admin socket, and to no other.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	uid, err := peerUID(c)
	return context.WithValue(ctx, peerKey{}, peer{uid: uid, err: err})
}

func peerUID(c net.Conn) (uint32, error) {
	unixConn, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("peer credentials: %s is not a Unix socket", c.LocalAddr().Network())
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var sysErr error
	err = raw.Control(func(fd uintptr) {
		cred, sysErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = sysErr
	}
	if err != nil {
		return 0, fmt.Errorf("peer credentials: %w", err)
	}
	return cred.Uid, nil
}

// localCaller is the operator at the admin socket: root and the daemon's own
// user, nobody else.
func localCaller(p peer, daemon uint32) (caller, error) {
	if p.err != nil {
		return caller{}, &addressing.Error{Code: addressing.CodeUnauthenticated, Op: "authenticate",
			Detail: "the kernel does not say who is at the other end of the socket", Err: p.err}
	}
	if p.uid != 0 && p.uid != daemon {
		return caller{}, &addressing.Error{Code: addressing.CodeForbidden, Op: "authenticate",
			Detail: fmt.Sprintf("uid %d may not use the admin socket", p.uid),
			Next:   "call as root, as the daemon's user, or over HTTP with a token"}
	}
	id := fmt.Sprintf("uid:%d", p.uid)
	return caller{
		actor: addressing.Actor{Kind: addressing.Operator, ID: id},
		role:  addressing.RoleOperator,
		scope: addressing.EveryAccount(),
		local: true,
	}, nil
}
