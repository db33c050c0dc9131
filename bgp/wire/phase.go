package wire

// Phase is how far a session has come, for the question which messages may
// arrive in it. The zero value is before any connection: nothing may.
type Phase uint8

// Phases of a session with a connection (RFC 4271 section 8.2.2).
const (
	PhaseNone Phase = iota
	PhaseOpenSent
	PhaseOpenConfirm
	PhaseEstablished
)

// Admit returns nil if a message of type t may arrive in the phase, and
// otherwise the NOTIFICATION that ends the session. A second OPEN in an
// established session is one of the messages that must never be handed on.
func (p Phase) Admit(t Type) *Notification {
	admitted := false
	switch p {
	case PhaseOpenSent:
		admitted = t == TypeOpen || t == TypeNotification
	case PhaseOpenConfirm:
		admitted = t == TypeKeepalive || t == TypeNotification
	case PhaseEstablished:
		admitted = t == TypeUpdate || t == TypeKeepalive || t == TypeNotification || t == TypeRouteRefresh
	}
	if admitted {
		return nil
	}
	// RFC 6608 section 4: If a BGP speaker receives an unexpected message
	// (e.g., KEEPALIVE/UPDATE/ROUTE-REFRESH message) on a session in OpenSent
	// state, it MUST send to the neighbor a NOTIFICATION message with the Error
	// Code Finite State Machine Error and the Error Subcode Receive Unexpected
	// Message in OpenSent State. The Data field is a 1-octet, unsigned integer
	// that indicates the type of the unexpected message. The other states
	// likewise; their subcodes are the numbers of the phases.
	return &Notification{Code: CodeFSM, Subcode: uint8(p), Data: []byte{byte(t)}}
}
