package gobgp

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/osrg/gobgp/v3/pkg/log"
)

func TestLoggerKeepsATableOfRepeatedWithdrawalsQuiet(t *testing.T) {
	for _, tc := range []struct {
		level slog.Level
		want  int
	}{{slog.LevelInfo, 1}, {slog.LevelDebug, 3}} {
		var out bytes.Buffer
		seen := 0
		l := &logger{to: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: tc.level})), seen: func(string, log.Fields) { seen++ }}
		l.Warn("No matching path for withdraw found, may be path was not installed into table", log.Fields{"Key": "193.0.0.0/21"})
		l.Warn("No matching path for withdraw found, may be path was not installed into table", log.Fields{"Key": "193.0.8.0/21"})
		l.Warn("something else", nil)
		if got := strings.Count(out.String(), "\n"); got != tc.want {
			t.Errorf("level %s: %d lines, want %d:\n%s", tc.level, got, tc.want, out.String())
		}
		if seen != 3 {
			t.Errorf("level %s: %d of 3 messages were seen", tc.level, seen)
		}
	}
}
