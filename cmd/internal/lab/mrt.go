package lab

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"github.com/osrg/gobgp/v3/pkg/packet/mrt"
)

// Update is one UPDATE message as a daemon received it.
type Update struct {
	At         time.Time // by the daemon's clock, whole seconds
	Neighbor   netip.Addr
	Advertised []netip.Prefix
	Withdrawn  []netip.Prefix
	EndOfRIB   bool // RFC 4724 section 2
}

// Advertised lists what updates advertise, in order, repeats included.
func Advertised(updates []Update) []netip.Prefix {
	var list []netip.Prefix
	for _, u := range updates {
		list = append(list, u.Advertised...)
	}
	return list
}

// Withdrawn lists what updates withdraw, in order, repeats included.
func Withdrawn(updates []Update) []netip.Prefix {
	var list []netip.Prefix
	for _, u := range updates {
		list = append(list, u.Withdrawn...)
	}
	return list
}

// readUpdates reads the UPDATEs of an MRT file (RFC 6396 section 4.4). A
// record at its end that is still being written is left out.
func readUpdates(path string) ([]Update, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil // nothing received yet
	}
	if err != nil {
		return nil, err
	}
	updates, err := parseUpdates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return updates, nil
}

func parseUpdates(data []byte) ([]Update, error) {
	var updates []Update
	for len(data) >= mrt.MRT_COMMON_HEADER_LEN {
		head := new(mrt.MRTHeader)
		if err := head.DecodeFromBytes(data); err != nil {
			return nil, err
		}
		end := mrt.MRT_COMMON_HEADER_LEN + int(head.Len)
		if end > len(data) {
			break
		}
		body := data[mrt.MRT_COMMON_HEADER_LEN:end]
		data = data[end:]
		if head.Type != mrt.BGP4MP {
			continue
		}
		record, err := mrt.ParseMRTBody(head, body)
		if err != nil {
			return nil, fmt.Errorf("MRT record: %w", err)
		}
		message, ok := record.Body.(*mrt.BGP4MPMessage)
		if !ok {
			continue
		}
		update, ok := message.BGPMessage.Body.(*bgp.BGPUpdate)
		if !ok {
			continue
		}
		u := Update{At: time.Unix(int64(head.Timestamp), 0).UTC()}
		if a, ok := netip.AddrFromSlice(message.PeerIpAddress); ok {
			u.Neighbor = a.Unmap()
		}
		if err := u.read(update); err != nil {
			return nil, err
		}
		updates = append(updates, u)
	}
	return updates, nil
}

func (u *Update) read(m *bgp.BGPUpdate) error {
	for _, p := range m.WithdrawnRoutes {
		if err := appendPrefix(&u.Withdrawn, p); err != nil {
			return err
		}
	}
	for _, p := range m.NLRI {
		if err := appendPrefix(&u.Advertised, p); err != nil {
			return err
		}
	}
	for _, attribute := range m.PathAttributes {
		var (
			list *[]netip.Prefix
			nlri []bgp.AddrPrefixInterface
		)
		switch a := attribute.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			list, nlri = &u.Advertised, a.Value
		case *bgp.PathAttributeMpUnreachNLRI:
			list, nlri = &u.Withdrawn, a.Value
		}
		for _, p := range nlri {
			if err := appendPrefix(list, p); err != nil {
				return err
			}
		}
	}
	u.EndOfRIB, _ = m.IsEndOfRib()
	return nil
}

func appendPrefix(list *[]netip.Prefix, p bgp.AddrPrefixInterface) error {
	prefix, err := netip.ParsePrefix(p.String())
	if err != nil {
		return fmt.Errorf("NLRI: %w", err)
	}
	*list = append(*list, prefix)
	return nil
}
