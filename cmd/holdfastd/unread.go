package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing/irr"
)

// unread is an IRR file before it was read for the first time.
type unread struct{}

// Routes implements irr.Source.
func (unread) Routes(context.Context, netip.Prefix) ([]irr.Object, error) {
	return nil, errors.New("irr: the file was not read yet")
}
