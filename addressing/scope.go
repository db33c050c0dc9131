package addressing

// Scope says whose objects a request may see. The zero Scope sees nothing, so
// that a scope that was forgotten can never widen (invariant 2).
type Scope struct {
	every   bool
	account string
}

// OneAccount is the scope of one account. An empty id is the zero Scope.
func OneAccount(id string) Scope { return Scope{account: id} }

// EveryAccount is the scope of operators and of the daemon's own work.
func EveryAccount() Scope { return Scope{every: true} }

// Includes reports whether objects of the account are in scope.
func (s Scope) Includes(account string) bool {
	return s.every || s.account != "" && s.account == account
}

// Account is the id of the one account in scope, or empty.
func (s Scope) Account() string { return s.account }

// Every reports whether all accounts are in scope.
func (s Scope) Every() bool { return s.every }

// String names the scope the way lists echo it.
func (s Scope) String() string {
	switch {
	case s.every:
		return "all-accounts"
	case s.account != "":
		return "account:" + s.account
	}
	return "nothing"
}
