package breaker

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many callers at once get no more than one would.
func TestConcurrentCallers(t *testing.T) {
	w := feb20()
	b, _ := opened(t, DefaultLimits())
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				n := g*40 + i
				p := losing(fmt.Sprint(n), operator(fmt.Sprint(g)), 0, w.customers[n])
				if b.Admit(ctx, p, w.base).Verdict == Allow {
					allowed.Add(1)
				}
				b.ObserveAdvertised("n", IPv4, 6000, at(0))
				b.Status(at(0))
				b.Explained(w.customers[n].Prefix)
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n > 43 || n < 30 {
		t.Errorf("%d were allowed, want up to 43", n)
	}
}

// child is what TestKill runs in a process of its own: it loses one prefix
// after the other and says so, until it is killed.
func child(dir string) {
	b, err := OpenDir(dir, Options{At: start})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	w := feb20()
	for i, l := range w.customers {
		if b.Admit(ctx, losing(fmt.Sprint(os.Getpid(), i), operator(fmt.Sprint(i)), 0, l), w.base).Verdict == Allow {
			fmt.Println("lost", l.Prefix)
		} else {
			fmt.Println("held", l.Prefix)
		}
	}
}

// A process that is killed has on disk what it allowed, and its trips.
func TestKill(t *testing.T) {
	if dir := os.Getenv("BREAKER_TEST_DIR"); dir != "" {
		child(dir)
		return
	}
	dir := t.TempDir()
	if err := Init(dir, start); err != nil {
		t.Fatal(err)
	}
	lost := map[string]bool{}
	for round, until := range []int{3, 7, 60} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "BREAKER_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for n := 0; n < until && in.Scan(); {
			word, prefix, _ := strings.Cut(in.Text(), " ")
			switch word {
			case "lost":
				lost[prefix] = true
				n++
			case "held":
				n++
			case "error":
				t.Fatalf("round %d: %s", round, in.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for in.Scan() { // what it said before it died
			if word, prefix, _ := strings.Cut(in.Text(), " "); word == "lost" {
				lost[prefix] = true
			}
		}
		_ = cmd.Wait() // killed: the error says so
		b := reopened(t, dir, DefaultLimits(), start)
		for _, l := range feb20().customers[:200] {
			if lost[l.Prefix.String()] && !b.Explained(l.Prefix) {
				t.Fatalf("round %d: %s was allowed and is not in the journal", round, l.Prefix)
			}
		}
		st := b.Status(start)[0]
		if damaged := strings.Contains(st.Reason, "damaged"); damaged {
			t.Fatalf("round %d: %+v: a kill is no damage", round, st)
		}
		if round == 2 && st.State != Open {
			t.Errorf("after %d losses the status is %+v, want open", len(lost), st)
		}
		b.Close()
	}
	if len(lost) > 43 {
		t.Errorf("three processes lost %d, want at most 43", len(lost))
	}
}

// Time that passes while a breaker waits for its turn is the event's own.
func TestTimeNeverRunsBack(t *testing.T) {
	b, _ := opened(t, DefaultLimits())
	b.Status(at(time.Hour))
	before := b.m.now
	b.Status(at(time.Minute))
	if b.m.now != before {
		t.Errorf("time went from %d to %d", before, b.m.now)
	}
}
