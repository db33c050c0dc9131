// Package feed carries snapshots to speakers that follow a daemon, and their
// reports back. A feed is two small signed files, the head of the
// last-known-good and the permit to activate it, and manifests and parts by
// content address (DESIGN section 12).
//
// It takes a directory laid out like one copy of a snapshot store, or the
// daemon's API over HTTPS, and gives what package snapshots asks of a Source.
// It judges nothing: whoever receives checks every byte against pinned keys,
// so a feed can at worst withhold.
package feed
