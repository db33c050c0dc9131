package bmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bmp"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// Kind is a message type (RFC 7854 section 4.1).
type Kind uint8

// The message types that exist.
const (
	RouteMonitoring Kind = gobgp.BMP_MSG_ROUTE_MONITORING
	Statistics      Kind = gobgp.BMP_MSG_STATISTICS_REPORT
	PeerDown        Kind = gobgp.BMP_MSG_PEER_DOWN_NOTIFICATION
	PeerUp          Kind = gobgp.BMP_MSG_PEER_UP_NOTIFICATION
	Initiation      Kind = gobgp.BMP_MSG_INITIATION
	Termination     Kind = gobgp.BMP_MSG_TERMINATION
	RouteMirroring  Kind = gobgp.BMP_MSG_ROUTE_MIRRORING
)

var kindNames = [...]string{"route monitoring", "statistics report", "peer down", "peer up", "initiation", "termination", "route mirroring"}

// String names the type.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("type %d", uint8(k))
}

// View is which of a router's tables a message speaks of. The zero value is
// none.
type View uint8

// Views (RFC 7854 section 4.2, RFC 8671 section 4, RFC 9069 section 4).
const (
	NoView        View = iota
	InPrePolicy        // Adj-RIB-In as it was received
	InPostPolicy       // what the import policy made of it
	OutPrePolicy       // Adj-RIB-Out before the export policy
	OutPostPolicy      // what is sent
	LocRIB             // the routes the router has chosen
)

var viewNames = [...]string{"none", "adj-rib-in-pre-policy", "adj-rib-in-post-policy", "adj-rib-out-pre-policy", "adj-rib-out-post-policy", "loc-rib"}

// String names the view.
func (v View) String() string {
	if int(v) < len(viewNames) {
		return viewNames[v]
	}
	return fmt.Sprintf("view(%d)", uint8(v))
}

// Peer is who the monitored router speaks with. It can be compared and is the
// same in all messages of one session.
type Peer struct {
	Distinguisher uint64 // of a VRF, 0 for the global table
	Address       netip.Addr
	ASN           uint32
	RouterID      netip.Addr
}

// Message is one message, read. Update points into what it was read from.
type Message struct {
	Kind       Kind
	Peer       Peer // of messages that have one, else zero
	View       View // of a Route Monitoring message
	TwoOctetAS bool // AS_PATH in Update has two octets per AS number
	Update     []byte
	Up         Up     // of a Peer Up message
	Reason     uint16 // of a Peer Down or Termination message
	At         time.Time
	SystemName string // of an Initiation message, printable
}

// Up is what a Peer Up message says of the session.
type Up struct {
	Local             netip.Addr
	LocalASN          uint32
	LocalID, RemoteID netip.Addr
	Families          wire.FamilySet // that both OPENs have
	AddPathIn         bool           // the peer may send several paths for a prefix (RFC 7911)
	AddPathOut        bool           // so may the router
}

// What is wrong with what a router sends.
var (
	// ErrFraming says that the border of the next message is lost: the
	// connection cannot go on.
	ErrFraming = errors.New("bmp framing")
	// ErrMessage says that one message is spoilt; the next can be read.
	ErrMessage = errors.New("bmp message")
)

// Lengths in octets.
const (
	headerLen  = gobgp.BMP_HEADER_SIZE
	peerLen    = gobgp.BMP_PEER_HEADER_SIZE
	MaxLen     = 1 << 17 // longest message that is read; a Peer Up has two OPENs, an UPDATE has 65535 octets (RFC 8654)
	openLen    = 29      // shortest OPEN
	updateLen  = 23      // shortest UPDATE
	maxName    = 255     // of a system name that is kept
	perPeerMin = headerLen + peerLen
)

// least is the shortest length that each type may have.
var least = [...]int{
	RouteMonitoring: perPeerMin + updateLen,
	Statistics:      perPeerMin + 4,
	PeerDown:        perPeerMin + 1,
	PeerUp:          perPeerMin + 20 + 2*openLen,
	Initiation:      headerLen,
	Termination:     headerLen,
	RouteMirroring:  perPeerMin,
}

// checkHeader vets the common header (RFC 7854 section 4.1) and gives the length
// of the whole message.
func checkHeader(head []byte) (length int, k Kind, err error) {
	if len(head) < headerLen {
		return 0, 0, fmt.Errorf("%w: %d octets are no header", ErrFraming, len(head))
	}
	n := binary.BigEndian.Uint32(head[1:5])
	k = Kind(head[5])
	switch {
	case head[0] != gobgp.BMP_VERSION:
		return 0, 0, fmt.Errorf("%w: version %d, only 3 is spoken", ErrFraming, head[0])
	case n > MaxLen:
		return 0, 0, fmt.Errorf("%w: a message of %d octets, %d are read at most", ErrFraming, n, MaxLen)
	case n < headerLen:
		return 0, 0, fmt.Errorf("%w: a message of %d octets is shorter than its header", ErrFraming, n)
	}
	return int(n), k, nil
}

// Parse reads one whole message and nothing after it. The error is ErrFraming or
// ErrMessage; the latter leaves Kind and, where they could be read, Peer and View
// set: it is then known what cannot be trusted any more.
func Parse(raw []byte) (m Message, err error) {
	length, k, err := checkHeader(raw)
	if err != nil {
		return m, err
	}
	if length != len(raw) {
		return m, fmt.Errorf("%w: %s says %d octets, have %d", ErrFraming, k, length, len(raw))
	}
	m.Kind = k
	if int(k) >= len(least) {
		return m, fmt.Errorf("%w: %s does not exist", ErrMessage, k)
	}
	if length < least[k] {
		return m, fmt.Errorf("%w: %s: %d octets, at least %d are needed", ErrMessage, k, length, least[k])
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %s: cannot be decoded (%v)", ErrMessage, k, r)
		}
	}()
	if k != Initiation && k != Termination {
		if err := m.readPeer(raw[headerLen:perPeerMin]); err != nil {
			return m, fmt.Errorf("%w: %s: %w", ErrMessage, k, err)
		}
	}
	if err := m.readBody(raw); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrMessage, k, err)
	}
	return m, nil
}

// readPeer reads the per-peer header (RFC 7854 section 4.2).
func (m *Message) readPeer(raw []byte) error {
	var h gobgp.BMPPeerHeader
	if err := h.DecodeFromBytes(raw); err != nil {
		return err
	}
	if h.PeerType > gobgp.BMP_PEER_TYPE_LOCAL_RIB {
		return fmt.Errorf("peer type %d is not known", h.PeerType)
	}
	m.Peer = Peer{Distinguisher: h.PeerDistinguisher, ASN: h.PeerAS}
	m.Peer.RouterID, _ = netip.AddrFromSlice(h.PeerBGPID)
	if seconds := binary.BigEndian.Uint32(raw[34:38]); seconds != 0 {
		m.At = time.Unix(int64(seconds), int64(binary.BigEndian.Uint32(raw[38:42]))*1000).UTC()
	}
	// RFC 9069 section 4.2: a Loc-RIB has flags of its own and no peer address.
	if h.PeerType == gobgp.BMP_PEER_TYPE_LOCAL_RIB {
		m.View = LocRIB
		return nil
	}
	m.Peer.Address, _ = netip.AddrFromSlice(h.PeerAddress)
	m.TwoOctetAS = h.Flags&gobgp.BMP_PEER_FLAG_TWO_AS != 0
	m.View = [2][2]View{{InPrePolicy, InPostPolicy}, {OutPrePolicy, OutPostPolicy}}[bit(h.IsAdjRIBOut())][bit(h.IsPostPolicy())]
	return nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *Message) readBody(raw []byte) error {
	body := raw[headerLen:]
	if m.Kind != Initiation && m.Kind != Termination {
		body = raw[perPeerMin:]
	}
	switch m.Kind {
	case RouteMonitoring:
		return m.readUpdate(body)
	case PeerUp:
		return m.readUp(raw, body)
	case PeerDown:
		m.Reason = uint16(body[0])
	case Initiation, Termination:
		return m.readInformation(raw)
	}
	// What statistics and mirrored messages contain is not used; that they came
	// says that the router is alive.
	return nil
}

// frame gives the first BGP message of b, of the type that it must have, and what
// follows it (RFC 4271 section 4.1; up to 65535 octets, RFC 8654).
func frame(b []byte, t wire.Type, low int) (message, rest []byte, err error) {
	if len(b) < wire.HeaderLen {
		return nil, nil, fmt.Errorf("%d octets are no %s", len(b), t)
	}
	n := int(binary.BigEndian.Uint16(b[16:]))
	if wire.Type(b[18]) != t || n < low || n > len(b) {
		return nil, nil, fmt.Errorf("a %s of %d octets where %d are left for a %s", wire.Type(b[18]), n, len(b), t)
	}
	return b[:n], b[n:], nil
}

// readUpdate frames the UPDATE of a Route Monitoring message (RFC 7854 section
// 4.6).
func (m *Message) readUpdate(body []byte) error {
	update, rest, err := frame(body, wire.TypeUpdate, updateLen)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d octets follow the UPDATE", len(rest))
	}
	m.Update = update[wire.HeaderLen:]
	return nil
}

// readUp reads a Peer Up message (RFC 7854 section 4.10): both OPENs are vetted
// by the walker before GoBGP sees them.
func (m *Message) readUp(raw, body []byte) error {
	sent, rest, err := frame(body[20:], wire.TypeOpen, openLen)
	if err != nil {
		return err
	}
	received, _, err := frame(rest, wire.TypeOpen, openLen) // information TLVs may follow
	if err != nil {
		return err
	}
	ours, err := wire.ParseOpen(sent[wire.HeaderLen:])
	if err != nil {
		return fmt.Errorf("OPEN that was sent: %w", err)
	}
	theirs, err := wire.ParseOpen(received[wire.HeaderLen:])
	if err != nil {
		return fmt.Errorf("OPEN that was received: %w", err)
	}
	m.Up = Up{LocalASN: ours.ASN(), LocalID: ours.RouterID, RemoteID: theirs.RouterID, Families: ours.Families().Intersect(theirs.Families())}
	m.Up.AddPathIn = addPath(theirs, ours)
	m.Up.AddPathOut = addPath(ours, theirs)
	if m.View == LocRIB {
		return nil // RFC 9069 section 4.4: the addresses are zero
	}
	decoded, err := gobgp.ParseBMPMessage(raw)
	if err != nil {
		return err
	}
	if up, ok := decoded.Body.(*gobgp.BMPPeerUpNotification); ok {
		m.Up.Local, _ = netip.AddrFromSlice(up.LocalAddress)
	}
	return nil
}

// addPath reports whether one may send the other several paths (RFC 7911
// section 4), in any family.
func addPath(from, to wire.Open) bool {
	const receives, sends = 1, 2
	may := func(o wire.Open, bit byte) bool {
		for _, c := range o.Capabilities {
			for v := c.Value; c.Code == wire.CapAddPath && len(v) >= 4; v = v[4:] {
				if v[3]&bit != 0 {
					return true
				}
			}
		}
		return false
	}
	return may(from, sends) && may(to, receives)
}

// readInformation reads Initiation and Termination messages (RFC 7854 sections
// 4.3 and 4.5).
func (m *Message) readInformation(raw []byte) error {
	for rest := raw[headerLen:]; len(rest) > 0; {
		if len(rest) < 4 || len(rest) < 4+int(binary.BigEndian.Uint16(rest[2:])) {
			return errors.New("an information TLV leaves the message")
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if m.Kind == Termination && binary.BigEndian.Uint16(rest) == gobgp.BMP_TERM_TLV_TYPE_REASON && n != 2 {
			return fmt.Errorf("a reason of %d octets", n)
		}
		rest = rest[4+n:]
	}
	decoded, err := gobgp.ParseBMPMessage(raw)
	if err != nil {
		return err
	}
	switch b := decoded.Body.(type) {
	case *gobgp.BMPInitiation:
		for _, tlv := range b.Info {
			if s, ok := tlv.(*gobgp.BMPInfoTLVString); ok && s.Type == gobgp.BMP_INIT_TLV_TYPE_SYS_NAME {
				m.SystemName = printable(s.Value)
			}
		}
	case *gobgp.BMPTermination:
		for _, tlv := range b.Info {
			if r, ok := tlv.(*gobgp.BMPTermTLV16); ok {
				m.Reason = r.Value
			}
		}
	}
	return nil
}

// printable is what may go to a log and a terminal of a text from outside.
func printable(s string) string {
	out := make([]rune, 0, min(len(s), maxName))
	for _, r := range s {
		if len(out) == maxName {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
