package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// pipes is a listener whose connections are pipes, for bubbles of fake time.
type pipes struct {
	ready  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{ready: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.ready:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.ready <- theirs
	return ours
}

// endsAfter sends what a client has to say and tells when the server hangs up.
func endsAfter(t *testing.T, l *pipes, text string) time.Duration {
	t.Helper()
	begin := time.Now()
	c := l.dial()
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c)
	return time.Since(begin)
}

// TestSlowClientsAreCutOff: whoever opens a connection and dawdles over the
// headers or the body, or keeps it idle, does not keep it.
func TestSlowClientsAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servers{log: slog.New(slog.DiscardHandler)}
		l := newPipes()
		s.serve("api", l, api.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		}), nil))
		for _, c := range []struct {
			name, sends string
			most        time.Duration
		}{
			{"nothing", "", 5 * time.Second},
			{"half a header", "GET / HTTP/1.1\r\nHost: h", 5 * time.Second},
			{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", 31 * time.Second},
			{"nothing more", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 2*time.Minute + time.Second},
		} {
			if took := endsAfter(t, l, c.sends); took > c.most {
				t.Errorf("%s: held for %s, want %s at most", c.name, took, c.most)
			}
		}
		s.close()
	})
}

// TestRequestsInFlightEnd: a stop waits for the answer of a request that has
// begun, up to a bound, and takes no new ones.
func TestRequestsInFlightEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		takes    time.Duration
		answered bool
		most     time.Duration
	}{
		{"short", time.Second, true, 2 * time.Second},
		{"endless", time.Hour, false, drainTime + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := servers{log: slog.New(slog.DiscardHandler)}
				l := newPipes()
				s.serve("api", l, api.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(c.takes):
					case <-r.Context().Done():
					}
					_, _ = io.WriteString(w, "done")
				}), nil))
				client := l.dial()
				defer client.Close()
				answer := make(chan bool, 1)
				go func() {
					_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
					res, err := http.ReadResponse(bufio.NewReader(client), nil)
					answer <- err == nil && res.StatusCode == http.StatusOK
				}()
				synctest.Wait()
				begin := time.Now()
				s.close()
				if took := time.Since(begin); took > c.most {
					t.Errorf("the stop took %s, want %s at most", took, c.most)
				}
				if got := <-answer; got != c.answered {
					t.Errorf("answered: %v, want %v", got, c.answered)
				}
				select {
				case <-l.closed:
				default:
					t.Error("the listener is still open")
				}
			})
		})
	}
}
