// Package rpki validates route origins (RFC 6811) against validated ROA
// payloads, and AS paths against ASPAs (draft-ietf-sidrops-aspa-verification).
// It takes both out of the JSON of rpki-client or Routinator, local exceptions
// out of a SLURM file (RFC 8416, draft-ietf-sidrops-aspa-slurm) or VRPs from a
// cache (package rtr), and gives an immutable Set that answers valid, invalid
// or not found, and ASPAs that answer valid, invalid or unknown.
//
// It never asks the network, and it never takes a part of an input: what
// cannot be read whole is refused, so that the caller keeps what it has. An
// input without a single VRP is refused too, because an empty set would turn
// every route not found.
package rpki
