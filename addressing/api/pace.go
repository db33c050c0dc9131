package api

import "github.com/holdfast-bgp/holdfast/addressing"

// Pace is how fast, and in which order, routes come back.
type Pace struct {
	Rate     int      // routes per second; 0 is all at once
	Priority []string // kinds of account, first ones first
}

// paceOf reads a pace; first-party comes first unless told.
func paceOf[K ~string](rate *int, priority *[]K) Pace {
	p := Pace{Priority: []string{string(addressing.FirstParty)}}
	if rate != nil {
		p.Rate = *rate
	}
	if priority != nil {
		p.Priority = nil
		for _, kind := range *priority {
			p.Priority = append(p.Priority, string(kind))
		}
	}
	return p
}
