package gobgp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/osrg/gobgp/v3/pkg/log"
)

// logger lets GoBGP write to slog. GoBGP calls Fatal and Panic for what it
// cannot handle; neither ends the process here: the wire stays as it is.
type logger struct {
	to   *slog.Logger
	seen func(msg string, fields log.Fields) // watches for what GoBGP tells in no other way
}

func (l *logger) write(level slog.Level, msg string, fields log.Fields) {
	l.seen(msg, fields)
	if !l.to.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for k, v := range fields {
		attrs = append(attrs, slog.String(k, fmt.Sprint(v)))
	}
	l.to.LogAttrs(context.Background(), level, "gobgp: "+msg, attrs...)
}

// noMatch is what GoBGP warns of, once a route, when a withdrawal of ours finds
// its path gone already. Repeating one is how a restore stays idempotent, so a
// table of them says nothing to an operator.
const noMatch = "No matching path for withdraw found"

func levelOf(warning string) slog.Level {
	if strings.HasPrefix(warning, noMatch) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (l *logger) Panic(msg string, f log.Fields) { l.write(slog.LevelError, "panic: "+msg, f) }
func (l *logger) Fatal(msg string, f log.Fields) { l.write(slog.LevelError, "fatal: "+msg, f) }
func (l *logger) Error(msg string, f log.Fields) { l.write(slog.LevelError, msg, f) }
func (l *logger) Warn(msg string, f log.Fields)  { l.write(levelOf(msg), msg, f) }
func (l *logger) Info(msg string, f log.Fields)  { l.write(slog.LevelInfo, msg, f) }
func (l *logger) Debug(string, log.Fields)       {}
func (l *logger) SetLevel(log.LogLevel)          {}

// GetLevel keeps GoBGP from formatting every path for a debug line.
func (l *logger) GetLevel() log.LogLevel { return log.InfoLevel }
