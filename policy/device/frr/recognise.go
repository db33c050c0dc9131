package frr

import (
	"regexp"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

var (
	family4 = regexp.MustCompile(`(?m)^(?:router bgp \S+|route-map \S+ (?:permit|deny) \d+|(?:ip|ipv6) prefix-list \S+ (?:seq \d+ )?(?:permit|deny) |(?:bgp|ip) (?:as-path access-list|community-list|large-community-list) |ip access-list |access-list \d+ |interface [A-Z]\w+[\d/.]+\s*$|frr (?:version|defaults)|feature bgp|ip route \d)`)
	foreign = regexp.MustCompile(`(?m)^(?:!! IOS XR|route-policy |prefix-set |community-set |\s*end-policy|RP/0/|policy-options|configure \{|/configure |set (?:policy-options|protocols|interfaces|system) )|^hostname .*\n(?:.*\n){0,3}.*\bXR\b`)
	xrBGP   = regexp.MustCompile(`(?m)^router bgp \d+\s*\n(?:.*\n)*?^ neighbor \S+\s*\n\s+remote-as `)
	marks   = []struct {
		d  device.Dialect
		re *regexp.Regexp
	}{
		{device.FRR, regexp.MustCompile(`(?m)^(?:frr (?:version|defaults)|service integrated-vtysh-config|bgp (?:as-path access-list|community-list|large-community-list|extcommunity-list) |log (?:syslog|file) |agentx\s*$|zebra |username cumulus )|^\s+(?:on-match|no bgp ebgp-requires-policy|bgp ebgp-requires-policy|neighbor \S+ (?:local-role|addpath-tx-|interface (?:remote-as|peer-group|v6only)))`)},
		{device.NXOS, regexp.MustCompile(`(?m)RANCID-CONTENT-TYPE: cisco-nx|^(?:feature \S|!Command: show running-config|vdc \S+ id|boot nxos|version \d+\.\d+\(\d+\)\S* (?:Bios|B)|vrf context |install feature-set|no password strength-check)|^\s+(?:inherit peer|template peer|vrf member )`)},
		{device.EOS, regexp.MustCompile(`(?m)RANCID-CONTENT-TYPE: arista|EOS-\d|^(?:transceiver qsfp|service routing protocols model|no aaa root|vrf instance |daemon TerminAttr|management api http-commands|swprofile|ip routing vrf )|^\s+(?:neighbor \S+ (?:peer group|maximum-routes)|no switchport\n\s+ip address \d+\.\d+\.\d+\.\d+/\d+)`)},
		{device.IOS, regexp.MustCompile(`(?m)RANCID-CONTENT-TYPE: cisco\s|^(?:version \d+\.\d+\s*$|Building configuration|service timestamps|ip cef|boot-start-marker|no ip domain.lookup|line vty|ip forward-protocol|ip classless)|^\s+ip address \d+\.\d+\.\d+\.\d+ 255\.`)},
	}
)

// Recognise reports which dialect the text looks like; "" when it is none.
func Recognise(data []byte) device.Dialect {
	head := data[:min(len(data), 1<<20)]
	if foreign.Match(head) {
		return ""
	}
	for _, m := range marks {
		if !m.re.Match(head) {
			continue
		}
		if m.d == device.IOS && xrBGP.Match(head) {
			return ""
		}
		if family4.Match(head) {
			return m.d
		}
	}
	if family4.Match(head) && !xrBGP.Match(head) {
		return device.IOS
	}
	return ""
}

// RecogniseFRR reports whether the text looks like FRR.
func RecogniseFRR(_ string, data []byte) bool { return Recognise(data) == device.FRR }

// RecogniseIOS reports whether the text looks like IOS, or like the family
// without a mark of another member.
func RecogniseIOS(_ string, data []byte) bool { return Recognise(data) == device.IOS }

// RecogniseEOS reports whether the text looks like EOS.
func RecogniseEOS(_ string, data []byte) bool { return Recognise(data) == device.EOS }

// RecogniseNXOS reports whether the text looks like NX-OS.
func RecogniseNXOS(_ string, data []byte) bool { return Recognise(data) == device.NXOS }
