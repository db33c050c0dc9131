//go:build linux

package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// tail is how much of a daemon's output a failed test shows.
const tail = 4 << 10

// Daemon is a running program of the lab.
type Daemon struct {
	Name string
	Dir  string // its own directory, in the lab's

	h    *Host
	cmd  *exec.Cmd
	logs []string
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// Start starts a program on the host, in the foreground, with its own session
// and no input. It is stopped at the end of the test; if the test failed, the
// end of its output is shown.
func (h *Host) Start(name, path string, args ...string) *Daemon {
	h.l.t.Helper()
	return h.start(name, h.stateDir(name), nil, path, args...)
}

// stateDir makes a directory for a daemon of the host.
func (h *Host) stateDir(name string) string {
	h.l.t.Helper()
	dir := filepath.Join(h.l.dir, h.Name, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.l.t.Fatalf("lab: %v", err)
	}
	return dir
}

func (h *Host) start(name, dir string, logs []string, path string, args ...string) *Daemon {
	t := h.l.t
	t.Helper()
	output := filepath.Join(dir, name+".out")
	file, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	defer file.Close()
	// ip executes the program, so that the process id is the program's.
	cmd := exec.Command("ip", append([]string{"netns", "exec", h.Name, path}, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	d := &Daemon{Name: name, Dir: dir, h: h, cmd: cmd, logs: append(logs, output), done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		t.Fatalf("lab: start %s: %v", name, err)
	}
	go func() {
		d.err = cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() {
			d.show()
		}
	})
	return d
}

// Stop asks the daemon to end and waits; after five seconds it is killed.
func (d *Daemon) Stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(5 * time.Second):
		d.Kill()
	}
}

// Kill ends the daemon at once, as a crash or a power failure would.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

// Signal sends the daemon a signal.
func (d *Daemon) Signal(s os.Signal) error { return d.cmd.Process.Signal(s) }

// Ended is nil while the daemon runs.
func (d *Daemon) Ended() error {
	select {
	case <-d.done:
		return fmt.Errorf("%s on %s ended: %v", d.Name, d.h.Name, d.err)
	default:
		return nil
	}
}

// await waits for a condition of a daemon that is coming up.
func (d *Daemon) await(condition func() error) {
	d.h.l.t.Helper()
	d.h.l.Eventually(patience, func() error {
		if err := d.Ended(); err != nil {
			d.h.l.t.Fatalf("lab: %v", err)
		}
		return condition()
	})
}

// awaitFile waits until the daemon has made a file or a socket.
func (d *Daemon) awaitFile(path string) {
	d.h.l.t.Helper()
	d.await(func() error {
		_, err := os.Stat(path)
		return err
	})
}

// show logs the end of everything the daemon wrote.
func (d *Daemon) show() {
	for _, path := range d.logs {
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			continue
		}
		if len(text) > tail {
			text = text[len(text)-tail:]
		}
		d.h.l.t.Logf("%s on %s, end of %s:\n%s", d.Name, d.h.Name, filepath.Base(path), bytes.TrimSpace(text))
	}
}

// write writes a file of the daemon's configuration.
func (h *Host) write(path, text string, mode os.FileMode) {
	h.l.t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		h.l.t.Fatalf("lab: %v", err)
	}
}
