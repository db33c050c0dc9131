// Package lab gives interop tests real neighbors: FRR, BIRD and OpenBGPD from
// Debian, each in a network namespace of its own, joined by one switch.
//
// It takes the text of a daemon's configuration and gives what that daemon
// holds: its routes with all attributes, the state of its sessions, and every
// UPDATE it received, from the MRT log that it writes itself. It never touches
// the machine it runs on: Main puts the whole test process into network, mount
// and process namespaces of its own, and the kernel takes away whatever is
// left in them when the test ends, however it ends.
//
// Interop tests live in packages below cmd, in files with the build tag
// interop, and run through `make interop`. Such a package has one
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// The test itself stands at the switch with addresses of its own (Lab.Addr4,
// Lab.Addr6), so that a speaker may run inside the test as well as in a Host.
package lab
