package junos

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// formula is a policy expression: a name, or an operator over others.
type formula struct {
	op   byte // 0 for a name, '!', '&' or '|'
	name string
	xs   []formula

	grouped bool // written in parentheses
	mixed   bool // of the whole: "||" and "&&" meet without parentheses (RL218)
}

// maxFormula bounds the nesting of a policy expression.
const maxFormula = 64

// parseFormula reads "(A && !B) || C". "&&" binds closer than "||".
func parseFormula(text string) (formula, error) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ", "!", " ! ", "&&", " && ", "||", " || ").Replace(text)
	p := &formulaParser{words: strings.Fields(text)}
	f, err := p.level(0, '|')
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("unexpected %q", p.words[0])
	}
	f.mixed = p.mixed
	return f, err
}

type formulaParser struct {
	words []string
	mixed bool // "||" and "&&" meet without parentheses
}

func (p *formulaParser) next() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// level reads one or more operands joined by "||" or, closer, "&&".
func (p *formulaParser) level(depth int, op byte) (formula, error) {
	operand := func() (formula, error) {
		if op == '|' {
			return p.level(depth+1, '&')
		}
		return p.operand(depth + 1)
	}
	f, err := operand()
	if err != nil {
		return f, err
	}
	all := formula{op: op, xs: []formula{f}}
	for p.next() == string([]byte{op, op}) {
		p.words = p.words[1:]
		if f, err = operand(); err != nil {
			return f, err
		}
		all.xs = append(all.xs, f)
	}
	if len(all.xs) == 1 {
		return all.xs[0], nil
	}
	if op == '|' {
		p.mixed = p.mixed || slices.ContainsFunc(all.xs, func(x formula) bool { return x.op == '&' && !x.grouped })
	}
	return all, nil
}

func (p *formulaParser) operand(depth int) (formula, error) {
	if depth > maxFormula {
		return formula{}, fmt.Errorf("nested too deeply")
	}
	w := p.next()
	if w == "" {
		return formula{}, fmt.Errorf("ends too early")
	}
	p.words = p.words[1:]
	switch w {
	case "!":
		f, err := p.operand(depth + 1)
		return formula{op: '!', xs: []formula{f}}, err
	case "(":
		f, err := p.level(depth+1, '|')
		if err == nil && p.next() != ")" {
			err = fmt.Errorf("missing )")
		}
		if err == nil {
			p.words = p.words[1:]
			f.grouped = true
		}
		return f, err
	case ")", "&&", "||":
		return formula{}, fmt.Errorf("unexpected %q", w)
	}
	return formula{name: w}, nil
}

// precedence: RL218.
func (s *scope) precedence(f formula, text string, pos device.Pos) {
	if f.mixed {
		s.once(device.Diagnostic{
			At: device.At{Pos: pos}, Rule: "RL218", Severity: device.Info,
			Message: fmt.Sprintf("policy expression %q mixes || and && without parentheses: && binds closer", text), Fix: "add parentheses",
		})
	}
}

// openDefault is what falling off a policy means where another policy uses it.
const openDefault = "what a policy that is used as a condition says when it does not decide is not confirmed on a device"

// condition turns the expression into a condition: a name is true when its
// policy accepts.
func (s *scope) condition(f formula, pos device.Pos) device.Expr {
	switch f.op {
	case '!':
		return device.Negate(s.condition(f.xs[0], pos))
	case '&', '|':
		var xs []device.Expr
		for _, x := range f.xs {
			xs = append(xs, s.condition(x, pos))
		}
		if f.op == '&' {
			return device.AllOfExprs(pos, xs...)
		}
		return device.AnyOfExprs(pos, xs...)
	}
	p := s.reference(f.name, pos)
	if p == nil {
		return &device.Unknown{At: device.At{Pos: pos}, Text: "policy " + f.name, Why: "the policy is not defined"}
	}
	return &device.SubPolicy{At: device.At{Pos: pos}, Chain: device.Chain{At: device.At{Pos: pos}, Policies: []*device.Policy{p}, Why: openDefault}}
}

// decision turns the expression into a policy for a chain. Changes made by the
// policies it names are kept.
func (s *scope) decision(f formula, text string, pos device.Pos) *device.Policy {
	at := device.At{Pos: pos}
	accept, reject := device.Disposition{At: at, Flow: device.AcceptRoute}, device.Disposition{At: at, Flow: device.RejectRoute}
	p := &device.Policy{At: at, End: pos, Name: text}
	always := device.Always("policy expression")
	call := func(x formula, onReject device.Disposition) *device.Call {
		var inner *device.Policy
		if x.op == 0 {
			if inner = s.reference(x.name, pos); inner == nil {
				inner = undefinedPolicy(x.name, pos)
			}
		} else {
			inner = s.decision(x, text, pos)
		}
		return &device.Call{At: at, Chain: device.Chain{At: at, Policies: []*device.Policy{inner}, Why: openDefault}, OnReject: onReject}
	}
	switch f.op {
	case '!':
		p.Terms = []*device.Term{{At: at, Name: text, Match: always, Actions: []device.Action{call(f.xs[0], accept)}, Then: reject}}
	case '&':
		t := &device.Term{At: at, Name: text, Match: always, Then: accept}
		for _, x := range f.xs {
			t.Actions = append(t.Actions, call(x, reject))
		}
		p.Terms = []*device.Term{t}
	case '|':
		for _, x := range f.xs {
			p.Terms = append(p.Terms, &device.Term{At: at, Name: text, Match: always, Actions: []device.Action{call(x, device.Disposition{At: at})}, Then: accept})
		}
		p.Terms = append(p.Terms, &device.Term{At: at, Name: text, Match: always, Then: reject})
	default:
		p.Terms = []*device.Term{{At: at, Name: text, Match: always, Actions: []device.Action{call(f, reject)}, Then: accept}}
	}
	return p
}

// reference looks a policy up and reports a missing one (RL301).
func (s *scope) reference(name string, pos device.Pos) *device.Policy {
	if p := s.policySet[name]; p != nil {
		return p
	}
	s.once(device.Diagnostic{
		At: device.At{Pos: pos}, Rule: "RL301", Policy: name,
		Message: fmt.Sprintf("policy %q is not defined: Junos does not commit this, what it would do is not judged", name),
		Fix:     "define the policy or correct the name",
	})
	return nil
}

// undefinedPolicy decides nothing: Junos would not commit the reference.
func undefinedPolicy(name string, pos device.Pos) *device.Policy {
	at := device.At{Pos: pos}
	return &device.Policy{At: at, Name: name, Terms: []*device.Term{{
		At: at, Name: name, Match: device.Always("undefined policy"),
		Then: device.Disposition{At: at, Flow: device.DecideMaybe, Text: "policy " + name + " is not defined"},
	}}}
}
