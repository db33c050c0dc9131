package gobgp

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// GoBGP v3 leaves its main loop and the channels it fed behind when it stops;
// nothing else may stay.
func TestMain(m *testing.M) {
	if raw := os.Getenv(benchLoad); raw != "" {
		var l load
		err := json.Unmarshal([]byte(raw), &l)
		if err == nil {
			err = l.speak(os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/osrg/gobgp/v3/pkg/server.(*BgpServer).Serve"),
	)
}
