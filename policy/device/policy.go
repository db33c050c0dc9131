package device

// Flow is what happens after a term matched and its actions ran.
type Flow uint8

// Flows. The zero value goes on with the next term.
const (
	Continue Flow = iota // next term (also written: none, pass, next term)
	AcceptRoute
	RejectRoute
	NextPolicy // leave this policy as if it had fallen off its end
	Goto       // term with index Target of the same term list; past the end falls off
	DecideMaybe
)

// Disposition is the control flow of a term. Default, when set, becomes the
// verdict of the chain if nothing decides later: OpenBGPD's last match wins is
// Continue with a Default, IOS continue is Goto with Default Accept, Junos
// default-action is a Default alone.
type Disposition struct {
	At
	Flow    Flow
	Target  int
	Default Verdict // Undecided: leave as it is
	Text    string  // as written; for DecideMaybe what was not understood
}

// Term is one entry of a policy. Match decides whether it applies; then the
// Actions run, the Body (nested terms) is walked, and Then happens. Else is
// walked when Match is false. Only programs (BIRD) use Body and Else.
type Term struct {
	At
	Name     string
	End      Pos  // last line of the term, for excerpts
	Match    Expr // never nil
	Bare     bool // nothing was written to restrict it
	Actions  []Action
	Body     []*Term
	Then     Disposition
	Else     []*Term
	Inactive bool   // written but switched off: evaluators skip it
	Via      string // group or template it was inherited from
	BuiltIn  bool   // protocol behaviour, not configuration
}

// Policy is an ordered list of terms.
type Policy struct {
	At
	Name    string
	End     Pos
	Terms   []*Term
	BuiltIn bool
}

// Chain is a list of policies: the first that decides wins. Default applies
// when all fall off.
type Chain struct {
	At
	Policies []*Policy
	Default  Verdict
	Why      string // where the default comes from, for the trace
}

// StepKind says what a step of a pipeline is.
type StepKind uint8

// Kinds of step.
const (
	PolicyStep   StepKind = iota // the configured policies
	FilterStep                   // a list applied at the session: prefix, AS path, access list
	RoleStep                     // RFC 9234 procedure
	ProtocolStep                 // what the protocol itself does: split horizon, well-known communities, own ASN
	DefaultStep                  // no policy is configured: RFC 8212 or the lack of it
)

// String writes the name.
func (k StepKind) String() string {
	return [...]string{"policy", "filter", "role", "protocol", "default"}[k]
}

// Step is one stage of a pipeline.
type Step struct {
	At
	Kind  StepKind
	Name  string // as written: the policy names or the list
	Chain Chain
}

// Pipeline is the ordered decision of a session in one direction: a route has
// to be accepted by every step, each sees the changes of those before it. An
// empty pipeline rejects.
type Pipeline struct {
	At
	Steps []Step
}

// Named returns the names of the configured policies, in order.
func (p *Pipeline) Named() []string {
	var names []string
	for _, s := range p.Steps {
		for _, pol := range s.Chain.Policies {
			if !pol.BuiltIn {
				names = append(names, pol.Name)
			}
		}
	}
	return names
}

// BuiltIn makes a policy of protocol behaviour from terms.
func BuiltIn(name string, terms ...*Term) *Policy {
	for _, t := range terms {
		t.BuiltIn = true
	}
	return &Policy{Name: name, Terms: terms, BuiltIn: true}
}

// ProtocolBehaviour makes a step of protocol behaviour; what its terms do not reject
// passes.
func ProtocolBehaviour(name string, terms ...*Term) Step {
	return Step{Kind: ProtocolStep, Name: name, Chain: Chain{Policies: []*Policy{BuiltIn(name, terms...)}, Default: Accept}}
}
