package breaker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// RecordKind says what a record of the journal is about.
type RecordKind uint8

// Kinds of record. Numbers are on disk: append, never renumber.
const (
	RecordCharge   RecordKind = 1  // losses admitted
	RecordRelease  RecordKind = 2  // charges taken back, the commit failed
	RecordGain     RecordKind = 3  // prefixes that are desired again
	RecordTrip     RecordKind = 4  // a scope opened or locked
	RecordReset    RecordKind = 5  // a person reset it
	RecordPeak     RecordKind = 6  // a neighbor's advertised count rose
	RecordOversize RecordKind = 7  // an oversized change was refused
	RecordApprove  RecordKind = 8  // an approval was given
	RecordRevoke   RecordKind = 9  // and taken back
	RecordStart    RecordKind = 10 // first record of a journal
	RecordMark     RecordKind = 11 // compacted: one ledger
	RecordDown     RecordKind = 12 // compacted: what is down by an admitted loss
	RecordBase     RecordKind = 13 // what is advertised changed: later denominators
	RecordSwitch   RecordKind = 14 // a kill switch was turned
	RecordAsk      RecordKind = 15 // one person alone asked for a reset
	RecordAmend    RecordKind = 16 // the limits were changed at work; nothing to replay
)

var recordNames = map[RecordKind]string{
	RecordCharge: "charge", RecordRelease: "release", RecordGain: "gain", RecordTrip: "trip",
	RecordReset: "reset", RecordPeak: "peak", RecordOversize: "oversize", RecordApprove: "approve",
	RecordRevoke: "revoke", RecordStart: "start", RecordMark: "mark", RecordDown: "down", RecordBase: "base", RecordSwitch: "switch", RecordAsk: "ask", RecordAmend: "amend",
}

// String names the kind.
func (k RecordKind) String() string {
	if n, ok := recordNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// MarshalText writes the kind's name.
func (k RecordKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Class says how a loss is charged.
type Class uint8

// Classes of charge.
const (
	Counted     Class = iota // against every limit
	OwnersOwn                // against the owner's budget and the long global windows
	AtRest                   // back to rest: against the on-demand limits alone
	Approved                 // a person's approval covers it
	InEmergency              // the emergency lane
	Binding                  // a binding that was not the last
	Modified                 // a modification that loses nothing
)

var classNames = [...]string{"counted", "owner", "at-rest", "approved", "emergency", "binding", "modified"}

// String names the class.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class-%d", uint8(c))
}

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a class's name.
func (c *Class) UnmarshalText(b []byte) error {
	i := slices.Index(classNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("breaker class %q: use one of %q", b, classNames)
	}
	*c = Class(i)
	return nil
}

// Item is one prefix of a record.
type Item struct {
	Prefix    netip.Prefix `json:"prefix"`
	Account   string       `json:"account,omitempty"`
	Class     Class        `json:"class"`
	Weight    int          `json:"weight,omitempty"` // 0: beyond the share one owner has of the global windows
	Services  []string     `json:"services,omitempty"`
	Neighbors []string     `json:"neighbors,omitempty"`
	mark      stored       // of RecordMark
}

// stored is a mark with its key, as a compacted ledger keeps it.
type stored struct {
	key key
	mark
}

// run is the denominator of one bucket of one window.
type run struct {
	ring   int
	bucket int64
	base   pair
}

// Record is one entry of the journal. Which fields count depends on the kind.
type Record struct {
	Kind       RecordKind `json:"kind"`
	Seq        uint64     `json:"seq"`
	At         int64      `json:"at"` // ms since 1970, never running back
	ID         string     `json:"id,omitempty"`
	Actor      Actor      `json:"actor"`
	Generation uint64     `json:"generation,omitempty"`
	Lane       Lane       `json:"lane,omitempty"`
	WhileOpen  bool       `json:"while_open,omitempty"` // may reach the wire while the global scope is open
	Approval   string     `json:"approval,omitempty"`
	Scope      Scope      `json:"scope"`
	To         State      `json:"to"`
	Rule       string     `json:"rule,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Incident   string     `json:"incident,omitempty"`
	Names      []string   `json:"names,omitempty"` // approvers
	Number     int64      `json:"number,omitempty"`
	From       int64      `json:"from,omitempty"`
	Until      int64      `json:"until,omitempty"`
	Base       Baseline   `json:"base"`
	Items      []Item     `json:"items,omitempty"`
	runs       []run      // of RecordMark
}

// UnmarshalText reads a kind's name.
func (k *RecordKind) UnmarshalText(b []byte) error {
	for kind, name := range recordNames {
		if name == string(b) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("breaker record kind %q is not known", b)
}

var errRecord = errors.New("breaker: a record does not decode")

// appendRecord encodes r. The order of fields is the format: version 1.
func appendRecord(b []byte, r *Record) []byte {
	b = append(b, byte(r.Kind))
	b = binary.AppendUvarint(b, r.Seq)
	b = binary.AppendVarint(b, r.At)
	b = appendString(b, r.ID)
	b = appendString(b, string(r.Actor.Kind))
	b = appendString(b, r.Actor.Key)
	b = appendString(b, r.Actor.Account)
	b = binary.AppendUvarint(b, r.Generation)
	b = append(b, byte(r.Lane), flag(r.WhileOpen), byte(r.To))
	b = appendString(b, r.Approval)
	b = appendString(b, string(r.Scope.Kind))
	b = appendString(b, r.Scope.Key)
	b = appendString(b, r.Rule)
	b = appendString(b, r.Reason)
	b = appendString(b, r.Incident)
	b = appendStrings(b, r.Names)
	b = binary.AppendVarint(b, r.Number)
	b = binary.AppendVarint(b, r.From)
	b = binary.AppendVarint(b, r.Until)
	b = appendBaseline(b, &r.Base)
	b = binary.AppendUvarint(b, uint64(len(r.Items)))
	for i := range r.Items {
		b = appendItem(b, &r.Items[i], r.Kind == RecordMark)
	}
	b = binary.AppendUvarint(b, uint64(len(r.runs)))
	for _, u := range r.runs {
		b = binary.AppendVarint(b, int64(u.ring))
		b = binary.AppendVarint(b, u.bucket)
		b = binary.AppendVarint(b, u.base[0])
		b = binary.AppendVarint(b, u.base[1])
	}
	return b
}

func appendItem(b []byte, it *Item, marked bool) []byte {
	if marked {
		b = binary.BigEndian.AppendUint64(b, it.mark.key.hi)
		b = binary.BigEndian.AppendUint64(b, it.mark.key.lo)
		b = binary.AppendUvarint(b, it.mark.key.meta)
		b = binary.AppendVarint(b, it.mark.at)
		b = binary.AppendVarint(b, it.mark.weight)
		b = binary.AppendUvarint(b, uint64(it.mark.seq))
		b = append(b, flag(it.mark.restored))
		b = appendString(b, it.Account)
		return appendStrings(b, it.Services) // the actor's name
	}
	k := prefixKey(it.Prefix)
	b = append(b, byte(k.family()), byte(k.bits()))
	if k.family() == IPv6 {
		b = binary.BigEndian.AppendUint64(b, k.hi)
		b = binary.BigEndian.AppendUint64(b, k.lo)
	} else {
		b = binary.BigEndian.AppendUint32(b, uint32(k.lo))
	}
	b = appendString(b, it.Account)
	b = append(b, byte(it.Class))
	b = binary.AppendVarint(b, int64(it.Weight))
	b = appendStrings(b, it.Services)
	return appendStrings(b, it.Neighbors)
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendBaseline(b []byte, base *Baseline) []byte {
	b = appendCount(b, base.Customer)
	b = appendCount(b, base.Space)
	b = binary.AppendVarint(b, int64(base.Bindings))
	b = binary.AppendVarint(b, int64(base.accounts()))
	ones := [3]counted{base.one.account, base.one.neighbor, base.one.service}
	for i, m := range []map[string]Count{base.Accounts, base.Neighbors, base.Services} {
		if c := ones[i]; c.ok {
			b = binary.AppendUvarint(b, 1)
			b = appendCount(appendString(b, c.name), c.count)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(m)))
		for _, name := range slices.Sorted(maps.Keys(m)) {
			b = appendString(b, name)
			b = appendCount(b, m[name])
		}
	}
	return b
}

func appendCount(b []byte, c Count) []byte {
	b = binary.AppendVarint(b, int64(c.IPv4))
	return binary.AppendVarint(b, int64(c.IPv6))
}

// reader decodes what appendRecord wrote. It fails once and stays failed, and
// never reads past its bytes or makes room for more than they can hold.
type reader struct {
	b    []byte
	bad  bool
	seen map[string]string // names come again and again: one copy each

	spare []Item
}

// decodeRecord reads one record. Bytes left over are an error.
func decodeRecord(b []byte, seen map[string]string) (Record, error) {
	return (&reader{seen: seen}).record(b)
}

// itemRoom is made for many records' items together: most of them have one.
const itemRoom = 256

func (d *reader) items(n int) []Item {
	if n > len(d.spare) {
		if n > itemRoom/4 {
			return make([]Item, n)
		}
		d.spare = make([]Item, itemRoom)
	}
	out := d.spare[:n:n]
	d.spare = d.spare[n:]
	return out
}

func (d *reader) record(b []byte) (Record, error) {
	d.b, d.bad = b, false
	r := Record{Kind: RecordKind(d.byte())}
	r.Seq = d.uvarint()
	r.At = d.natural()
	r.ID = d.string()
	r.Actor = Actor{Kind: ActorKind(d.name()), Key: d.name(), Account: d.name()}
	r.Generation = d.uvarint()
	r.Lane, r.WhileOpen, r.To = Lane(d.byte()), d.byte() == 1, State(d.byte())
	r.Approval = d.string()
	r.Scope = Scope{Kind: ScopeKind(d.name()), Key: d.name()}
	r.Rule = d.name()
	r.Reason = d.string()
	r.Incident = d.string()
	r.Names = d.strings()
	r.Number = d.varint()
	r.From = d.varint()
	if r.Until = d.varint(); r.Kind == RecordPeak && (r.Until < 0 || r.Until > 1<<50) {
		d.bad = true
	}
	d.baseline(&r.Base)
	if n := d.count(4); n > 0 {
		r.Items = d.items(n)
		for i := range r.Items {
			d.item(&r.Items[i], r.Kind == RecordMark)
		}
	}
	if n := d.count(4); n > 0 {
		r.runs = make([]run, n)
		for i := range r.runs {
			r.runs[i] = run{int(d.natural()), d.natural(), pair{d.natural(), d.natural()}}
		}
	}
	if _, known := recordNames[r.Kind]; !known || d.bad || r.Lane > Drain || r.To > Locked || len(d.b) != 0 {
		return Record{}, errRecord
	}
	return r, nil
}

func (d *reader) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *reader) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *reader) uint64() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// natural reads a number that is never negative, and not so large that adding
// a few of them overflows.
func (d *reader) natural() int64 {
	v := d.varint()
	if v < 0 || v > 1<<50 {
		d.bad = true
		return 0
	}
	return v
}

// count reads how many elements follow, each at least size bytes long.
func (d *reader) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *reader) string() string { return string(d.take(d.count(1))) }

func (d *reader) name() string {
	v := d.take(d.count(1))
	if s, ok := d.seen[string(v)]; ok {
		return s
	}
	s := string(v)
	if d.seen != nil {
		d.seen[s] = s
	}
	return s
}

func (d *reader) strings() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.name()
	}
	return list
}

func (d *reader) baseline(b *Baseline) {
	b.Customer, b.Space = d.pair(), d.pair()
	b.Bindings = int(d.natural())
	b.accountCount = int(d.natural())
	ones := [3]*counted{&b.one.account, &b.one.neighbor, &b.one.service}
	for i, m := range []*map[string]Count{&b.Accounts, &b.Neighbors, &b.Services} {
		n := d.count(3)
		if n == 0 {
			continue
		}
		if n == 1 {
			*ones[i] = counted{d.name(), d.pair(), true}
			continue
		}
		*m = make(map[string]Count, n)
		for range n {
			name := d.name()
			if _, twice := (*m)[name]; twice {
				d.bad = true // a name has one count
			}
			(*m)[name] = d.pair()
		}
	}
}

func (d *reader) pair() Count { return Count{IPv4: int(d.natural()), IPv6: int(d.natural())} }

func (d *reader) item(it *Item, marked bool) {
	if marked {
		it.mark.key = key{hi: d.uint64(), lo: d.uint64(), meta: d.uvarint()}
		it.mark.at, it.mark.weight = d.natural(), d.natural()
		it.mark.seq, it.mark.restored = uint32(d.uvarint()), d.byte() == 1
		it.Account, it.Services = d.name(), d.strings()
		return
	}
	fam, bits := Family(d.byte()), int(d.byte())
	k := key{meta: uint64(fam)<<8 | uint64(bits)}
	switch fam {
	case IPv4:
		if v := d.take(4); v != nil {
			k.lo = 0xffff<<32 | uint64(binary.BigEndian.Uint32(v))
		}
	case IPv6:
		k.hi, k.lo = d.uint64(), d.uint64()
	default:
		d.bad = true
	}
	if it.Prefix = k.prefix(); !it.Prefix.IsValid() || it.Prefix.Masked() != it.Prefix {
		d.bad = true
	}
	it.Account = d.name()
	if it.Class = Class(d.byte()); it.Class > Modified {
		d.bad = true
	}
	it.Weight = int(d.natural())
	it.Services, it.Neighbors = d.strings(), d.strings()
}
