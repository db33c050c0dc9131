package gobgp

import (
	_ "embed"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// keysText lists the keys that the configuration decoder of GoBGP 3.37 knows,
// one a line with its type. The afi-safis block is listed once; peer groups
// take what neighbors take.
//
//go:embed keys.txt
var keysText string

var knownKeys = func() map[string]bool {
	keys := map[string]bool{}
	for line := range strings.Lines(keysText) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		keys[key] = true
	}
	return keys
}()

// known reports whether the decoder takes the key path. State blocks are part
// of the model it decodes into, so they are accepted and ignored.
func known(path []string) bool {
	for i, p := range path {
		if p == "state" {
			return true
		}
		if p == "afi-safis" && i < len(path)-1 {
			path = append([]string{"afi-safis"}, path[i+1:]...)
			break
		}
	}
	key := strings.Join(path, ".")
	if knownKeys[key] {
		return true
	}
	rest, ok := strings.CutPrefix(key, "peer-groups.")
	return ok && knownKeys["neighbors."+rest]
}

// bearsOnPolicy reports whether a key path has to do with what is advertised.
func bearsOnPolicy(path []string) bool {
	switch path[0] {
	case "policy-definitions", "defined-sets":
		return true
	}
	for _, p := range path {
		switch p {
		case "apply-policy", "peer-as", "local-as", "neighbor-address", "peer-group", "peer-type", "route-server-client",
			"route-reflector-client", "remove-private-as", "replace-peer-as", "afi-safi-name", "as", "redistribute-route-type-list",
			"allow-own-as", "vrf":
			return true
		}
	}
	return false
}

// ignoredConditions are written like conditions and decoded, but no evaluator
// of the daemon reads them: the statement is wider than it looks.
var ignoredConditions = map[string]bool{
	"match-tag-set": true, "call-policy": true, "install-protocol-eq": true, "igp-conditions": true,
	"med-eq": true, "local-pref-eq": true,
}

// statements files every key of the document under one of the five states, and
// reports the keys the daemon refuses.
func (b *builder) statements(n *node, path []string) {
	for _, k := range n.kids {
		at := path
		if n.shape == mapping {
			at = append(path[:len(path):len(path)], k.key)
		}
		if len(at) == 0 {
			continue
		}
		if n.shape == mapping {
			b.statement(k, at)
		}
		b.statements(k, at)
	}
}

func (b *builder) statement(k *node, path []string) {
	s := device.Statement{At: device.At{Pos: k.pos}, Text: strings.Join(path, "."), Policy: bearsOnPolicy(path), State: device.IgnoredKnown}
	switch {
	case !known(path):
		s.State = device.Unread
		s.Why = "gobgpd refuses keys it does not know"
		b.unknownKey(k, path, s.Policy)
	case s.Policy && ignoredKey(path):
		s.Why = "gobgpd reads this key and does nothing with it"
	case s.Policy && path[len(path)-1] == "origin-eq":
		s.State, s.Why = device.Unmodelled, "what it matches differs between versions"
	case s.Policy && (path[0] == "vrfs" || path[len(path)-1] == "vrf" || contains(path, "zebra")):
		s.State = device.Unmodelled
	case s.Policy:
		s.State = device.Modelled
	}
	b.cfg.Statements = append(b.cfg.Statements, s)
}

func ignoredKey(path []string) bool {
	for i, p := range path {
		switch {
		case ignoredConditions[p] && path[0] == "policy-definitions":
			return true
		case p == "tag-sets", p == "igp-actions", p == "community-set-ref", p == "ext-community-set-ref":
			return true
		case p == "apply-policy" && i > 0 && contains(path[:i], "afi-safis"):
			return true
		}
	}
	return false
}

func contains(path []string, key string) bool {
	for _, p := range path {
		if p == key {
			return true
		}
	}
	return false
}
