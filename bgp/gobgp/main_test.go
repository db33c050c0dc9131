package gobgp

import (
	"testing"

	"go.uber.org/goleak"
)

// GoBGP v3 leaves its main loop and the channels it fed behind when it stops;
// nothing else may stay.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/osrg/gobgp/v3/pkg/server.(*BgpServer).Serve"),
	)
}
