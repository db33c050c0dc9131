// Package rig is a small network of one operator, in a lab: a route reflector,
// two sites of two edge routers each (FRR and BIRD), and two transits that every
// edge speaks eBGP with and that record all they hear as MRT. One or two
// speakers stand behind the edges and the reflector.
//
// It takes how the routers are to differ from their usual configuration and
// gives running daemons to ask. Sessions are per family, over addresses of that
// family. Tests that use it need root and lab.Main.
package rig
