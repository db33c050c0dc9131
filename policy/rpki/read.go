package rpki

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxInput bounds an input: today's table takes some 100 MB.
const maxInput = 1 << 30

// Payload is what a VRP file says.
type Payload struct {
	VRPs  []VRP
	ASPAs []ASPA
	Made  time.Time // when it says that it was made; zero if it does not
}

// Read reads the JSON of rpki-client (-j) or Routinator (json, jsonext). It
// takes all of it or none: a repeated or missing list, an entry that cannot be
// read, a cut-off end and an empty list are errors.
func Read(r io.Reader) (Payload, error) {
	limited := &io.LimitedReader{R: r, N: maxInput}
	d := json.NewDecoder(bufio.NewReaderSize(limited, 1<<20))
	out, err := readPayload(d)
	switch {
	case limited.N <= 0:
		return Payload{}, fmt.Errorf("rpki: larger than %d bytes", maxInput)
	case err != nil:
		return Payload{}, fmt.Errorf("rpki: at byte %d: %w", d.InputOffset(), err)
	case len(out.VRPs) == 0:
		return Payload{}, ErrEmpty
	}
	return out, nil
}

func readPayload(d *json.Decoder) (Payload, error) {
	var out Payload
	seen := map[string]bool{}
	if err := delim(d, '{'); err != nil {
		return out, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return out, err
		}
		name, _ := key.(string)
		if seen[name] {
			return out, fmt.Errorf("%s: is there twice", name)
		}
		seen[name] = true
		switch name {
		case "roas":
			out.VRPs, err = readROAs(d)
		case "aspas":
			out.ASPAs, err = readASPAs(d)
		case "metadata":
			out.Made, err = readMade(d)
		default:
			err = d.Decode(new(skipped))
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := delim(d, '}'); err != nil {
		return out, err
	}
	if !seen["roas"] {
		return out, errors.New("roas: missing: this is no rpki-client or Routinator JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return out, errors.New("something follows the end")
	}
	return out, nil
}

// skipped takes any value and keeps none of it.
type skipped struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("found %v, want %v", t, want)
	}
	return nil
}

// roa is an entry of either validator; the ASN is a number or "AS64500".
type roa struct {
	Prefix string  `json:"prefix"`
	MaxLen *uint8  `json:"maxLength"`
	ASN    *asText `json:"asn"`
}

func readROAs(d *json.Decoder) ([]VRP, error) {
	if err := delim(d, '['); err != nil {
		return nil, err
	}
	var out []VRP
	for d.More() {
		if len(out) == MaxVRPs {
			return nil, fmt.Errorf("more than %d", MaxVRPs)
		}
		var e roa
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(out), err)
		}
		v, err := e.vrp()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(out), err)
		}
		out = append(out, v)
	}
	return out, delim(d, ']')
}

func (e roa) vrp() (VRP, error) {
	p, err := netip.ParsePrefix(e.Prefix)
	switch {
	case err != nil:
		return VRP{}, fmt.Errorf("prefix: %q is none", e.Prefix)
	case e.ASN == nil:
		return VRP{}, errors.New("asn: missing")
	case e.MaxLen == nil:
		return VRP{}, errors.New("maxLength: missing")
	}
	v := VRP{Prefix: p, MaxLen: *e.MaxLen, ASN: uint32(*e.ASN)}
	return v, v.Check()
}

// aspa is an entry of rpki-client or of Routinator.
type aspa struct {
	CustomerASID *asText   `json:"customer_asid"` // rpki-client
	Customer     *asText   `json:"customer"`      // Routinator
	Providers    *[]asText `json:"providers"`
}

func readASPAs(d *json.Decoder) ([]ASPA, error) {
	if err := delim(d, '['); err != nil {
		return nil, err
	}
	var out []ASPA
	for d.More() {
		if len(out) == MaxASPAs {
			return nil, fmt.Errorf("more than %d", MaxASPAs)
		}
		var e aspa
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(out), err)
		}
		customer := e.CustomerASID
		if customer == nil {
			customer = e.Customer
		}
		switch {
		case customer == nil || *customer == 0:
			return nil, fmt.Errorf("entry %d: customer: missing", len(out))
		case e.Providers == nil:
			return nil, fmt.Errorf("entry %d: providers: missing; an empty list says that there are none", len(out))
		}
		a := ASPA{Customer: uint32(*customer)}
		for _, p := range *e.Providers {
			a.Providers = append(a.Providers, uint32(p))
		}
		out = append(out, a)
	}
	return out, delim(d, ']')
}

// asText is an AS number, written 64500, "64500" or "AS64500".
type asText uint32

// UnmarshalJSON implements json.Unmarshaler.
func (a *asText) UnmarshalJSON(b []byte) error {
	text := strings.TrimPrefix(strings.Trim(string(b), `"`), "AS")
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > math.MaxUint32 {
		return fmt.Errorf("asn: %s is no AS number", bytes.TrimSpace(b))
	}
	*a = asText(n)
	return nil
}

func readMade(d *json.Decoder) (time.Time, error) {
	var m struct {
		BuildTime     string `json:"buildtime"`     // rpki-client
		GeneratedTime string `json:"generatedTime"` // Routinator
	}
	if err := d.Decode(&m); err != nil {
		return time.Time{}, err
	}
	for _, text := range []string{m.BuildTime, m.GeneratedTime} {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, nil
}
