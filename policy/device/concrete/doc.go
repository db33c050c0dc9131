// Package concrete evaluates one route against the policies of a device.Config
// and says what happened on the way.
//
// It takes a route, a session and a direction; it gives a verdict, the
// rewritten route, a trace of the terms that mattered with their positions,
// and, when the verdict is unknown, the constructs that stood in the way. It
// is the reference for the oracle and replays the witnesses of the symbolic
// evaluator, with which it shares no code beyond the model.
//
// A condition that is Maybe splits the evaluation in two; where both halves
// agree the verdict stands, elsewhere it is unknown. It never guesses.
//
// The package reads no file, no clock and no network.
//
// RFC 4271 section 9.1 and 9.2.
package concrete
