package lint

import "github.com/holdfast-bgp/holdfast/policy/device"

func (a *analysis) roles() {}

func (d *Declaration) acrossFiles(cfgs []*device.Config) []Finding { return nil }
