//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
)

// inside marks the process that Main started in its own namespaces.
const inside = "HOLDFAST_LAB_INSIDE"

// Main runs the tests of a package in namespaces of their own. Call it from
// TestMain; it does not return. It needs root and fails without: an interop
// test that silently did not run would prove nothing.
func Main(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(confine())
	}
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// confine starts this program again in new namespaces and waits for it. There
// it is process 1, so that the kernel ends all its children when it ends.
func confine() int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "lab: needs root, for network namespaces")
		return 1
	}
	// Pdeathsig fires when the starting thread ends, hence the lock.
	runtime.LockOSThread()
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), inside+"=1")
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := child.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "lab: new namespaces:", err)
		return 1
	}
	// The go command asks for stacks with SIGQUIT when a test hangs.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s)
		}
	}()
	err := child.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "lab: tests ended:", err)
	return 1
}

// enter makes the new namespaces fit for use: no mount made here is seen
// outside, /proc shows the own processes, and the places where ip and the
// daemons keep their state are empty.
func enter() error {
	if os.Getpid() != 1 {
		return fmt.Errorf("%s is set outside of the lab's namespaces", inside)
	}
	if err := os.Unsetenv(inside); err != nil {
		return err
	}
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range []string{"/run/netns", "/run/openbgpd", "/var/tmp/frr"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	_, err := run("ip", "link", "set", "lo", "up")
	return err
}

// run runs a command to its end. The error holds what it printed.
func run(name string, args ...string) ([]byte, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return out, nil
}
