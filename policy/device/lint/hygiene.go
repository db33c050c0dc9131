package lint

import (
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

func (a *analysis) hygiene(u *symbolic.Universe, s *device.Session, dec *symbolic.Decision, site *symbolic.Site) {
}
