// Package observed judges routes that somebody else saw: did one of the ASes on
// the path leak it, and was it ours to originate.
//
// It takes routes out of MRT files (bgp/wire/mrt) or lines of monocle and
// bgpdump -m, and what is known about networks: their relationships, ROAs,
// ASPAs, our own ASNs and prefixes. It gives findings that name path, prefix,
// leaker and type (RFC 7908), and a Tally of them per leaker in bounded
// memory. What is not known is never a finding: a link without a declared
// relationship is neither a valley nor a proof that there is none.
//
// It opens nothing and keeps no route.
//
// RFC 7908 (types 1 to 6), RFC 9234 (OTC), RFC 6811 (origin validation),
// draft-ietf-sidrops-aspa-verification.
package observed
