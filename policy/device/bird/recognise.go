package bird

import "regexp"

var (
	protocolLine = regexp.MustCompile(`(?m)^[ \t]*(protocol|template)\s+(bgp|device|direct|kernel|static|pipe|ospf|rip|bfd|babel|radv|rpki|mrt|perf|l3vpn|aggregator|bmp)(\s+v[23])?(\s+[\w']+)?(\s+from\s+[\w']+)?\s*\{`)
	programLine  = regexp.MustCompile(`(?m)^[ \t]*(filter[ \t]+\w+[ \t]*(\{|\n)|function[ \t]+\w+[ \t]*\(|define[ \t]+\w+[ \t]*=|router[ \t]+id[ \t]+\S+;|(ipv4|ipv6|roa4|roa6)[ \t]+table[ \t]+\w+)`)
	bgpAttribute = regexp.MustCompile(`\bbgp_(path|community|large_community|ext_community|local_pref|med)\b`)
)

// Recognise reports whether the text looks like a configuration of BIRD, or a
// part of one.
func Recognise(_ string, data []byte) bool {
	switch {
	case protocolLine.Match(data):
		return true
	case !programLine.Match(data):
		return false
	}
	return bgpAttribute.Match(data) || len(programLine.FindAll(data, 2)) == 2
}
