//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// operator is a person with the CLI on the daemon's machine.
type operator struct {
	program string
	socket  string
}

// do runs one command to its end and gives what it printed.
func (o operator) do(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, o.program, append([]string{"-e", environment, "--socket", o.socket, "-o", "json"}, args...)...)
	cmd.SysProcAttr = childAttributes()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("holdfast %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// read runs a command and decodes what it printed.
func (o operator) read(ctx context.Context, into any, args ...string) error {
	out, err := o.do(ctx, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("holdfast %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// token makes an operator's token for a script.
func (o operator) token(ctx context.Context) (string, error) {
	var made struct {
		Token string `json:"token"`
	}
	if err := o.read(ctx, &made, "token", "create", "--role", "operator"); err != nil {
		return "", err
	}
	if made.Token == "" {
		return "", errors.New("holdfast token create printed no token")
	}
	return made.Token, nil
}

// generation is the one of the active snapshot.
func (o operator) generation(ctx context.Context) (int64, error) {
	var list client.SnapshotList
	if err := o.read(ctx, &list, "snapshot", "list"); err != nil {
		return 0, err
	}
	for _, s := range list.Items {
		if s.Active {
			return s.Generation, nil
		}
	}
	return 0, errors.New("holdfast snapshot list shows no active snapshot")
}

func (o operator) breaker(ctx context.Context) (client.Breaker, error) {
	var b client.Breaker
	return b, o.read(ctx, &b, "breaker", "status")
}

func (o operator) status(ctx context.Context) (client.Status, error) {
	var s client.Status
	return s, o.read(ctx, &s, "status")
}

// rollback puts back what a generation advertised. It gives the time at which
// the command was entered.
func (o operator) rollback(ctx context.Context, to int64, reason string) (client.RollbackResult, time.Time, error) {
	entered := time.Now()
	var r client.RollbackResult
	err := o.read(ctx, &r, "rollback", "--all", "--to", strconv.FormatInt(to, 10), "--reason", reason, "--yes")
	return r, entered, err
}

// alone is how long the demo's configuration makes one person alone wait for a
// reset: a second, where 15 minutes are the default.
const alone = time.Second

// reset closes one scope that has tripped. The first call asks for it.
func (o operator) reset(ctx context.Context, s client.BreakerScope, reason string) error {
	args := []string{"breaker", "reset", "--scope", s.Scope, "--trip", s.TripID, "--reason", reason, "--yes"}
	if s.Key != "" {
		args = append(args, "--key", s.Key)
	}
	if _, err := o.do(ctx, args...); err == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(alone + alone/10):
	}
	_, err := o.do(ctx, args...)
	return err
}
