// Package script runs the scripts in testdata: the three programs as their
// users meet them, built once and started as processes.
package script
