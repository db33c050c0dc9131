package bird_test

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/corpustest"
)

// corpus are the configurations that are kept in the repository.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	return corpustest.Files(t, "../../../testdata/corpus/bird/*", "../../../testdata/oracle/configs/bird*/*")
}

func TestCorpus(t *testing.T) { corpustest.Understood(t, device.BIRD, corpus(t), 800) }
