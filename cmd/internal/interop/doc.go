// Package interop holds the tests of the real programs against real neighbors:
// holdfastd as a process, with FRR and BIRD from Debian in network namespaces
// around it, and the demo from end to end. They run through `make interop`.
//
// It gives nothing to other packages; the neighbors come from lab.
package interop
