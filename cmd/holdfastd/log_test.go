package main

import (
	"log/slog"
	"testing"
	"time"
)

func TestLogDurationsHaveAUnit(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{5110045 * time.Nanosecond, "5.11ms"},
		{90 * time.Second, "1m30s"},
		{int64(7), "7"},
		{"5", "5"},
	} {
		if got := withUnit(nil, slog.Any("took", c.in)).Value.String(); got != c.want {
			t.Errorf("%v is written as %s, want %s", c.in, got, c.want)
		}
	}
}
