// Package tree reads Junos configurations into one tree of words.
//
// It takes text in curly braces, in set form or both mixed, and gives nodes
// with positions: "group G { peer-as 1; }" and "set … group G peer-as 1" are
// the same four nodes. It carries out the commands of the configuration mode
// (set, delete, deactivate, insert, rename, copy, …), expands apply-groups and
// compares two trees. What cannot be read is a Problem with a position, and
// reading goes on behind it.
//
// The package knows no meaning of any statement; package junos gives it one.
// It reads no file and panics on nothing.
package tree
