package device

// AdmitUnknown marks statements that were read and became no more than unknown
// in the policies, line by line: front ends of programs and rules see only there
// what they could follow.
func (c *Config) AdmitUnknown() {
	type line struct {
		file string
		line int
	}
	open := map[line]string{}
	var walk func(ts []*Term)
	walk = func(ts []*Term) {
		for _, t := range ts {
			Walk(t.Match, func(x Expr) bool {
				if u, ok := x.(*Unknown); ok {
					open[line{u.Pos.File, u.Pos.Line}] = u.Why
				}
				return true
			})
			for _, a := range t.Actions {
				if u, ok := a.(*UnknownAction); ok {
					open[line{u.Pos.File, u.Pos.Line}] = "what it changes is not followed"
				}
			}
			walk(t.Body)
			walk(t.Else)
		}
	}
	for _, p := range c.Policies {
		walk(p.Terms)
	}
	for i := range c.Statements {
		s := &c.Statements[i]
		if why, ok := open[line{s.Pos.File, s.Pos.Line}]; ok && s.State == Modelled {
			s.State, s.Why = Unmodelled, why
		}
	}
}
