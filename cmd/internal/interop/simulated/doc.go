// Package simulated holds plans against routers: the Adj-RIB-Out that a plan
// predicts for each neighbor is what FRR and BIRD hold once it is applied.
package simulated
