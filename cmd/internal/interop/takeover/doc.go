// Package takeover holds the interop test of taking over a live network and
// losing Holdfast in every manner: static routes at the edges, observe, adopt,
// hand over, upgrade, and then one speaker after the other killed, stopped, cut
// off and without its disk, while two transits record what they hear. It is
// built with the tag interop.
package takeover
