// Package adoption turns what is on the wire today into what Holdfast would
// have to be told: prefixes, their origin, and a guess of the account and the
// service, for a person to review.
//
// It takes tables and UPDATEs of MRT files (RFC 6396), FRR's JSON and CSV, as
// streams, and gives candidates and everything that was left out with the
// reason: nothing is dropped silently, and nothing is adopted whose origin was
// not named. It creates nothing and talks to nobody. Memory grows with the
// candidates, not with the file.
package adoption
