// Package config reads the daemon's one strict YAML document. It takes bytes
// and gives an immutable Config, or every error at once with
// file:line:column, the field, the reason and the way forward.
//
// Unknown and repeated keys, a second document, anchors that hide values and
// settings whose feature is not built are errors: nothing is ignored. No
// other package reads the environment or the file.
package config
