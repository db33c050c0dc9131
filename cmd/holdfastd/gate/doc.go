// Package gate stands between everything that changes what is advertised and
// the one breaker. It takes change sets before they are committed and plans
// before they reach the speaker, turns them into the breaker's words (losses
// with their weights, accounts, services and neighbors, denominators of the
// active snapshot) and gives its decisions back as the errors and verdicts that
// the addressing registry and the pipeline understand.
//
// It decides nothing itself, keeps no state but a count per generation, and can
// withdraw nothing.
package gate
