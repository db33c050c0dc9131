// Package change applies a change to a Junos configuration.
//
// It takes the text of a configuration and of a change, as commands (set,
// delete, deactivate, insert, …), as the output of "show | compare", as a
// unified diff, or as statements in braces to merge in. It gives the changed
// configuration as a device.Config and the list of statements that were
// removed, added, switched off or on, or moved, each with its position. A
// change that does not fit the configuration is an error, never a guess.
//
// The package reads no file, no clock and no network.
package change
