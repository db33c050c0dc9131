package main

import (
	"log/slog"
	"os"
	"time"
)

// jsonLog writes one JSON object a line to stderr, durations with their unit:
// a bare number of nanoseconds is read as something else sooner or later.
func jsonLog(level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: withUnit}))
}

func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}
