package irr

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	maxAnswer    = 1 << 20 // of one question
	whoisTimeout = 10 * time.Second
)

// Whois is a whois server (RFC 3912) that understands RIPE's flags, as RIPE's
// and IRRd do.
type Whois struct {
	Address string        // host:port
	Timeout time.Duration // of one question; 10 s if zero
}

var _ Source = Whois{}

// Routes implements Source: one connection, one question, one answer.
func (w Whois) Routes(ctx context.Context, p netip.Prefix) ([]Object, error) {
	raw, err := w.ask(ctx, question(p))
	if err != nil {
		return nil, fmt.Errorf("irr: whois %s: %w", w.Address, err)
	}
	found, err := answer(raw)
	if err != nil {
		return nil, fmt.Errorf("irr: whois %s: %w", w.Address, err)
	}
	return found, nil
}

// question asks for exactly (-x) the route objects (-T) of a prefix, without
// the contacts that they name (-r).
func question(p netip.Prefix) string {
	class := "route"
	if p.Addr().Is6() {
		class = "route6"
	}
	return "-r -x -T " + class + " " + p.String() + "\r\n"
}

func (w Whois) ask(ctx context.Context, text string) ([]byte, error) {
	timeout := w.Timeout
	if timeout <= 0 {
		timeout = whoisTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, text); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(conn, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no answer within %s: %w", timeout, ctx.Err())
	case err != nil:
		return nil, err
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return raw, nil
}

// answer tells objects, "nothing found" and "could not look" apart. Silence
// and errors are the last, never "nothing found".
func answer(raw []byte) ([]Object, error) {
	nothing := false
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "%ERROR:101"), strings.HasPrefix(line, "%  No entries found"), strings.HasPrefix(line, "% No entries found"):
			nothing = true
		case strings.HasPrefix(line, "%ERROR:"), strings.HasPrefix(line, "%% ERROR"), strings.HasPrefix(line, "F "):
			return nil, fmt.Errorf("the server answers %.80q", line)
		}
	}
	var found []Object
	if err := Read(bytes.NewReader(raw), func(o Object) { found = append(found, o) }); err != nil {
		return nil, err
	}
	if len(found) == 0 && !nothing {
		return nil, fmt.Errorf("the answer has neither an object nor the word that there is none")
	}
	return found, nil
}
