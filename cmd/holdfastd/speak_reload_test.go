package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
)

// TestSpeakerTakesNeighborsOver: a speaker alone gets another neighbor while it
// runs, and loses one; the session of the third does not notice, and what would
// make it another speaker, or leave it with nobody, changes nothing.
func TestSpeakerTakesNeighborsOver(t *testing.T) {
	as := map[string]string{"t1": "asn: 64511, role: customer", "t2": "asn: 64512, role: customer", "t3": "asn: 64513, role: customer"}
	var atDaemon string
	for i, name := range []string{"t1", "t2", "t3"} {
		atDaemon += listen(t, name, fmt.Sprintf("127.0.0.%d", 51+i), uint32(64511+i)).entry(as[name])
	}
	w := startDaemon(t, "  neighbors:\n"+atDaemon)
	w.advertise("203.0.113.0/24")
	key, err := os.ReadFile(filepath.Join(w.dir, "data/snapshots/signing.pub"))
	if err != nil {
		t.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	one, two, three := listen(t, "t1", "127.0.0.54", 64511), listen(t, "t2", "127.0.0.55", 64512), listen(t, "t3", "127.0.0.56", 64513)
	file := filepath.Join(dir, "s.yaml")
	write := func(asn int, stations ...farEnd) {
		t.Helper()
		text := fmt.Sprintf("environment: test\nname: alone\ndata_dir: ./data\nadmin: {socket: ./s}\nfeed: {directory: %s, keys: [%q]}\nbgp:\n  asn: %d\n  router_id: 192.0.2.3\n  neighbors:\n",
			filepath.Join(w.dir, "data/snapshots"), strings.TrimSpace(string(key)), asn)
		for _, s := range stations {
			text += s.entry(as[s.name])
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(64500, one, two)
	cfg, _, err := config.LoadSpeak(file)
	if err != nil {
		t.Fatal(err)
	}
	l := &lone{cfg: cfg, live: cfg, dir: dataDir(cfg.DataDir), kick: make(chan struct{}, 1), log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))}
	if err := l.open(time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l.close()
	}()
	w.until("the first two neighbors", func() bool { return one.Held() == 1 && two.Held() == 1 })

	write(64500, one, two, three)
	if err := l.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("the neighbor that came", func() bool { return three.Held() == 1 })
	write(64500, one, three)
	if err := l.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("the neighbor that went", func() bool { return !two.Established() })

	for name, change := range map[string]func(){
		"another AS number":      func() { write(64999, one, three) },
		"nobody":                 func() { write(64500) },
		"two at a time":          func() { write(64500, two) },
		"another session":        func() { as["t1"] = "asn: 64519, role: customer"; write(64500, one, three) },
		"a file that is no file": func() { _ = os.WriteFile(file, []byte("name: ["), 0o600) },
	} {
		change()
		if err := l.takeOver(t.Context()); err == nil {
			t.Errorf("%s: taken over", name)
		}
		as["t1"] = "asn: 64511, role: customer"
	}
	if n := one.Counters(); n.SessionsUp != 1 || n.Removed() != 0 || one.Held() != 1 {
		t.Errorf("the neighbor that stayed: %+v", n)
	}
	if three.Held() != 1 {
		t.Error("the neighbor that came lost its route")
	}
}
