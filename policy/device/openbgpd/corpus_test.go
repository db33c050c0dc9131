package openbgpd_test

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/corpustest"
)

// corpus are the configurations that are kept in the repository.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	return corpustest.Files(t, "../../../testdata/corpus/openbgpd/*", "../../../testdata/oracle/configs/openbgpd*/*")
}

func TestCorpus(t *testing.T) { corpustest.Understood(t, device.OpenBGPD, corpus(t), 800) }
