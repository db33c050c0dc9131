package sqlite_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/addressing/storetest"
)

const crashEnv = "HOLDFAST_TEST_CRASH_DB"

// everOpen is a gate that admits everything.
type everOpen struct{}

func (everOpen) Admit(context.Context, addressing.ChangeSet) (func(), error) { return func() {}, nil }

// TestMain lets the test binary stand in for a daemon that gets killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled creates accounts as fast as it can, from several writers,
// and says the version of each one that was acknowledged.
func writeUntilKilled(path string) error {
	s, err := sqlite.Open(context.Background(), sqlite.Options{Path: path, Environment: "test", Create: true})
	if err != nil {
		return err
	}
	r := addressing.NewRegistry(s, everOpen{}, addressing.Options{Entropy: rand.Reader})
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				req := addressing.Request{Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Scope: addressing.EveryAccount(), At: storetest.Epoch}
				_, c, err := r.CreateAccount(context.Background(), req, addressing.NewAccount{Name: fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)})
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(c.Version)
			}
		}()
	}
	return <-failed
}

// TestKilled: kill -9 in the middle of writing, several times over one file.
// What was acknowledged is there, the audit chain holds, nothing needs repair.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "intent.db")
	for round := range 5 {
		acknowledged := killAfter(t, path, 20+37*round)
		s := open(t, path)
		st, err := s.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Version < acknowledged || int64(len(st.Accounts)) != st.Version {
			t.Errorf("round %d: version %d with %d accounts, %d were acknowledged", round, st.Version, len(st.Accounts), acknowledged)
		}
		if n, err := addressing.NewRegistry(s, everOpen{}, addressing.Options{Entropy: rand.Reader}).VerifyAudit(t.Context()); err != nil || n != st.Version {
			t.Errorf("round %d: audit: %d of %d, %v", round, n, st.Version, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// killAfter runs a writer, kills it after so many acknowledged writes and
// returns the highest version that was acknowledged.
func killAfter(t *testing.T, path string, writes int) int64 {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env, cmd.Stderr = append(os.Environ(), crashEnv+"="+path), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var highest int64
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		v, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			break // cut short by the kill
		}
		highest = max(highest, v)
		if seen++; seen == writes {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || seen < writes {
		t.Fatalf("the writer ended by itself after %d writes: %v", seen, err)
	}
	return highest
}
