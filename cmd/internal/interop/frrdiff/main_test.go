//go:build interop && linux

package frrdiff

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
