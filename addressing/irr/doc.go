// Package irr asks an Internet Routing Registry who may originate a prefix and
// whether its owner has published Holdfast's token: route and route6 objects
// (RFC 2622 section 4, RFC 4012 section 3) from a local RPSL file or from a
// whois server (RFC 3912).
//
// A source answers about exactly the prefix asked for, never about a cover or
// a part of it. A source that cannot be asked is an error, never "missing", so
// that nothing known gets worse. Answers are bounded in size, questions in
// time.
package irr
