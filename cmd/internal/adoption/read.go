package adoption

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
)

// ReadMRT adds every route of a table or of UPDATEs; a withdrawal takes back
// what its peer said. A record that cannot be read ends it: a table that is cut
// short is no table. The error says at which byte.
func (a *Adoption) ReadMRT(src io.Reader) error {
	r := mrt.NewReader(src)
	names := map[netip.Addr]string{}
	for e, err := range r.Elements() {
		if err != nil {
			return err
		}
		where := names[e.Peer]
		if where == "" {
			where = e.Peer.String()
			names[e.Peer] = where
		}
		switch e.Kind {
		case mrt.TableEntry, mrt.Advertised:
			origin, known := e.Path.Origin()
			if e.Kind == mrt.Advertised {
				a.again(e.Prefix, where)
			}
			a.Add(Route{Prefix: e.Prefix, Origin: origin, Set: !known && len(e.Path) > 0, Where: where})
		case mrt.Withdrawn:
			a.Withdraw(e.Prefix, where)
		}
	}
	if r.Counts.Records == 0 {
		return errors.New("mrt: the file holds no record")
	}
	if a.routes == 0 {
		return fmt.Errorf("mrt: none of the %d record(s) holds a route of IPv4 or IPv6 unicast", r.Counts.Records)
	}
	return nil
}

// again forgets what a peer said of a prefix before it says it anew: an
// implicit withdrawal (RFC 4271 section 3.1).
func (a *Adoption) again(p netip.Prefix, where string) {
	if f := a.found[p]; f != nil && f.where[where] {
		delete(f.where, where)
		if len(f.where) == 0 {
			delete(a.found, p)
		}
	}
}

// frrRoute is one path in FRR's JSON, of "show bgp ipv4 unicast json" or of
// "show ip route json".
type frrRoute struct {
	Path     *string `json:"path"` // BGP: AS numbers and a set in braces
	Peer     string  `json:"peerId"`
	Protocol string  `json:"protocol"` // of the routing table
	Best     *bool   `json:"bestpath"`
}

// ReadFRR adds the routes of FRR's JSON: "show bgp ipv4 unicast json", "show
// bgp ipv6 unicast json", or static routes of "show ip route static json". Only
// best paths count.
func (a *Adoption) ReadFRR(src io.Reader) error {
	d := json.NewDecoder(src)
	if err := open(d, '{'); err != nil {
		return err
	}
	for d.More() {
		key, err := name(d)
		if err != nil {
			return err
		}
		switch {
		case strings.Contains(key, "/"): // the routing table: prefixes at the top
			err = a.frrPrefix(d, key)
		case key == "routes":
			err = a.frrRoutes(d)
		default:
			var other json.RawMessage
			err = d.Decode(&other)
		}
		if err != nil {
			return frrError(d, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return frrError(d, err)
	}
	if a.routes == 0 {
		return errors.New("frr-json: there is no route in it: want the output of show bgp ipv4 unicast json, or of show ip route static json")
	}
	return nil
}

func frrError(d *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("frr-json: at byte %d: %w", d.InputOffset(), err)
}

func open(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return frrError(d, err)
	}
	if t != want {
		return frrError(d, fmt.Errorf("%v where %v was expected", t, want))
	}
	return nil
}

func name(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", frrError(d, err)
	}
	s, _ := t.(string)
	return s, nil
}

func (a *Adoption) frrRoutes(d *json.Decoder) error {
	if err := open(d, '{'); err != nil {
		return err
	}
	for d.More() {
		prefix, err := name(d)
		if err != nil {
			return err
		}
		if err := a.frrPrefix(d, prefix); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (a *Adoption) frrPrefix(d *json.Decoder, text string) error {
	var paths []frrRoute
	if err := d.Decode(&paths); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if path.Best != nil && !*path.Best || path.Best == nil && path.Path != nil && len(paths) > 1 {
			continue
		}
		r := Route{Prefix: p, Where: path.Peer}
		if path.Path != nil {
			if r.Origin, r.Set, err = origin(*path.Path); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
		if r.Where == "" {
			r.Where = path.Protocol
		}
		a.Add(r)
	}
	return nil
}

// origin reads the last AS number of a path as FRR writes it.
func origin(path string) (asn uint32, set bool, err error) {
	fields := strings.Fields(path)
	if len(fields) == 0 {
		return 0, false, nil
	}
	last := fields[len(fields)-1]
	if strings.HasSuffix(last, "}") {
		return 0, true, nil
	}
	n, err := strconv.ParseUint(last, 10, 32)
	if err != nil {
		return 0, false, fmt.Errorf("AS path %q: %q is no AS number", path, last)
	}
	return uint32(n), false, nil
}

// ReadCSV adds the rows of a CSV with a header: prefix and origin, and perhaps
// account and service. Unknown columns are an error.
func (a *Adoption) ReadCSV(src io.Reader) error {
	r := csv.NewReader(src)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("csv: header: %w", err)
	}
	columns := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := columns[name]; twice || !slices.Contains([]string{"prefix", "origin", "account", "service"}, name) {
			return fmt.Errorf("csv: line 1: column %q: want prefix, origin and perhaps account and service, each once", name)
		}
		columns[name] = i
	}
	for _, name := range []string{"prefix", "origin"} {
		if _, there := columns[name]; !there {
			return fmt.Errorf("csv: line 1: the column %s is missing", name)
		}
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("csv: %w", err)
		}
		line, _ := r.FieldPos(0)
		if err := a.csvRow(row, columns, line); err != nil {
			return fmt.Errorf("csv: line %d: %w", line, err)
		}
	}
	if a.routes == 0 {
		return errors.New("csv: there is no row below the header")
	}
	return nil
}

func (a *Adoption) csvRow(row []string, columns map[string]int, line int) error {
	field := func(name string) string {
		if i, there := columns[name]; there {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	p, err := netip.ParsePrefix(field("prefix"))
	if err != nil {
		return fmt.Errorf("prefix: %w", err)
	}
	asn, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(field("origin")), "AS"), 10, 32)
	if err != nil || asn == 0 {
		return fmt.Errorf("origin: %q is no AS number", field("origin"))
	}
	where := "csv"
	if a.found[p] != nil {
		where = fmt.Sprintf("line %d", line)
		a.leave(Route{Prefix: p, Origin: uint32(asn), Where: where}, "repeated: the first row counts")
		a.routes++
		return nil
	}
	a.Add(Route{Prefix: p, Origin: uint32(asn), Where: where, Account: field("account"), Service: field("service")})
	return nil
}
