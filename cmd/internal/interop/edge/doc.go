// Package edge holds the interop tests of edge neighbors: what FRR and BIRD
// edges get, directly and through a route reflector, and what transits behind
// them see. They are built with the tag interop.
package edge
