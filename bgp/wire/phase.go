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
	// RFC 6608 section 4: the data is the type of the message that nobody expected in
	// this state; the subcodes are the numbers of the phases.
	return &Notification{Code: CodeFSM, Subcode: uint8(p), Data: []byte{byte(t)}}
}
