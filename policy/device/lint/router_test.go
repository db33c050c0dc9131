package lint

import (
	"fmt"
	"strings"
)

// routerText writes a Junos edge router as large networks have them: shared
// policies that sanitise and tag, a chain per neighbor, a prefix list per
// customer, interfaces and filters that have no bearing on routes. With 60
// neighbors and 100 prefixes it has about 10,000 lines.
func routerText(seed, neighbors, prefixes int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("system {\n    host-name edge%d;\n}\nrouting-options {\n    autonomous-system 64496;\n    aggregate {\n        route 203.0.113.0/24;\n    }\n}\ninterfaces {", seed)
	for i := range neighbors {
		line("    xe-0/0/%d {\n        description \"to neighbor %d\";\n        unit 0 {\n            family inet {\n                address 10.%d.%d.1/30;\n            }\n            family inet6 {\n                address 2001:db8:ff:%x::1/64;\n            }\n        }\n    }", i, i, seed, i, i)
	}
	line("}\npolicy-options {")
	line("    prefix-list OWN {\n        203.0.113.0/24;\n    }\n    prefix-list BOGONS {\n        10.0.0.0/8;\n        172.16.0.0/12;\n        192.168.0.0/16;\n    }\n    prefix-list NEIGHBORS {\n        apply-path \"protocols bgp group <*> neighbor <*>\";\n    }")
	customers := neighbors / 2
	for i := range customers {
		line("    prefix-list CUSTOMER-%d {", i)
		for j := range prefixes {
			line("        %d.%d.%d.0/24;", 11+(seed*customers+i)%180, j/4, 64*(j%4))
		}
		line("    }\n    as-path CONE-%d \"^%d( %d)*$\";", i, 65000+i, 65000+i)
		line("    policy-statement CUSTOMER-%d-IN {\n        term cone {\n            from {\n                as-path CONE-%d;\n                prefix-list-filter CUSTOMER-%d orlonger;\n            }\n            then {\n                community add CUSTOMER-ROUTE;\n                local-preference 260;\n                accept;\n            }\n        }\n    }", i, i, i)
	}
	line("    community PEER-ROUTE members 64496:2;\n    community TRANSIT-ROUTE members 64496:3;\n    community CUSTOMER-ROUTE members 64496:4;\n    community OWN-ROUTE members 64496:1;\n    community OURS members 64496:*;\n    community BLACKHOLE members [ 65535:666 64496:666 ];")
	line("    as-path PRIVATE \".* [64512-65534] .*\";\n    as-path TIER1 \".* (174|701|1299|2914|3257|3320|3356|3491|5511|6453|6461|6762|6830|7018|12956) .*\";")
	line("    policy-statement SANITY-IN {\n        term martians {\n            from {\n                prefix-list-filter BOGONS orlonger;\n            }\n            then reject;\n        }\n        term default {\n            from {\n                route-filter 0.0.0.0/0 exact;\n            }\n            then reject;\n        }\n        term ours {\n            then {\n                community delete OURS;\n            }\n        }\n    }")
	for _, role := range []string{"PEER", "TRANSIT"} {
		line("    policy-statement %s-IN {\n        term leak {\n            from as-path TIER1;\n            then {\n                local-preference 90;\n            }\n        }\n        term all {\n            from protocol bgp;\n            then {\n                community add %s-ROUTE;\n                accept;\n            }\n        }\n    }", role, role)
	}
	line("    policy-statement SANITY-OUT {\n        term long {\n            from {\n                route-filter 0.0.0.0/0 prefix-length-range /25-/32;\n            }\n            then reject;\n        }\n        term blackhole {\n            from community BLACKHOLE;\n            then reject;\n        }\n        term private {\n            from as-path PRIVATE;\n            then reject;\n        }\n        term learned {\n            from community [ PEER-ROUTE TRANSIT-ROUTE ];\n            then reject;\n        }\n    }")
	line("    policy-statement OWN-OUT {\n        term own {\n            from {\n                protocol [ aggregate static bgp ];\n                prefix-list OWN;\n            }\n            then accept;\n        }\n        term customers {\n            from {\n                protocol bgp;\n                community CUSTOMER-ROUTE;\n            }\n            then accept;\n        }\n    }\n    policy-statement REJECT {\n        then reject;\n    }")
	for i := range neighbors - customers {
		line("    policy-statement NEIGHBOR-%d-OUT {\n        term prepend {\n            from {\n                prefix-list OWN;\n            }\n            then {\n                as-path-prepend \"64496 64496\";\n                community delete OURS;\n                next policy;\n            }\n        }\n    }", i)
	}
	line("    policy-statement CUSTOMERS-OUT {\n        term all {\n            from protocol bgp;\n            then accept;\n        }\n    }\n}\nprotocols {\n    bgp {\n        group INSIDE {\n            type internal;\n            neighbor 192.0.2.250;\n            neighbor 192.0.2.251;\n        }")
	for i := range neighbors - customers {
		role, asn := "PEER", 64600+i
		if i%8 == 0 {
			role, asn = "TRANSIT", 64700+i
		}
		line("        group %s-%d {\n            type external;\n            import [ SANITY-IN %s-IN REJECT ];\n            export [ SANITY-OUT OWN-OUT NEIGHBOR-%d-OUT REJECT ];\n            peer-as %d;\n            neighbor 10.%d.%d.2 {\n                description \"neighbor %d\";\n            }\n        }", role, i, role, i, asn, seed, i, i)
	}
	for i := range customers {
		line("        group CUSTOMER-%d {\n            type external;\n            import [ SANITY-IN CUSTOMER-%d-IN REJECT ];\n            export [ CUSTOMERS-OUT REJECT ];\n            peer-as %d;\n            neighbor 10.%d.%d.2;\n        }", i, i, 65000+i, seed, 128+i)
	}
	line("    }\n}\nfirewall {\n    family inet {\n        filter EDGE-IN {")
	for i := range prefixes * neighbors / 20 {
		line("            term t%d {\n                from {\n                    source-address {\n                        198.18.%d.0/24;\n                    }\n                }\n                then discard;\n            }", i, i%256)
	}
	line("        }\n    }\n}")
	return b.String()
}

// guardedFRR writes an FRR router whose sessions are each guarded in a way of
// their own: by tags that imports put on, by lists, by paths, by a called map,
// by a filter at the session.
func guardedFRR(seed, neighbors int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("frr version 8.4\nip prefix-list OWN seq 5 permit 203.0.113.0/24\nip prefix-list ANY seq 5 permit 0.0.0.0/0 ge 8 le 24\nip prefix-list BOGONS seq 5 permit 10.0.0.0/8 le 32")
	line("bgp community-list standard LEARNED seq 5 permit 64496:2\nbgp community-list standard LEARNED seq 10 permit 64496:3\nbgp community-list standard OURS seq 5 permit 64496:1\nbgp community-list standard OURS seq 10 permit 64496:4\nbgp community-list expanded INTERNAL seq 5 permit 64496:.*")
	line("bgp as-path access-list CONE seq 5 permit ^65001(_65001)*$\nbgp as-path access-list LOCAL seq 5 permit ^$")
	line("route-map CALLED deny 10\n match community LEARNED\nroute-map CALLED permit 20")
	var af strings.Builder
	line("router bgp 64496\n neighbor 192.0.2.250 remote-as 64496")
	for i := range neighbors {
		addr := fmt.Sprintf("198.51.%d.%d", 100+seed, i+1)
		line(" neighbor %s remote-as %d\n neighbor %s description %s", addr, 64600+i, addr, []string{"transit", "peer"}[i%2])
		fmt.Fprintf(&af, "  neighbor %s route-map IN%d in\n  neighbor %s route-map OUT%d out\n", addr, i, addr, i)
		if i%6 == 5 {
			fmt.Fprintf(&af, "  neighbor %s prefix-list OWN out\n", addr)
		}
	}
	line(" address-family ipv4 unicast\n  network 203.0.113.0/24\n%s exit-address-family", af.String())
	for i := range neighbors {
		tag := []string{"64496:3", "64496:2"}[i%2]
		line("route-map IN%d deny 5\n match ip address prefix-list BOGONS\nroute-map IN%d permit 10\n match ip address prefix-list ANY\n set comm-list INTERNAL delete\n set community %s additive", i, i, tag)
		switch (i + seed) % 6 {
		case 0: // by tag, everything else goes
			line("route-map OUT%d deny 5\n match community LEARNED\nroute-map OUT%d permit 10", i, i)
		case 1: // by prefix list
			line("route-map OUT%d permit 10\n match ip address prefix-list OWN\nroute-map OUT%d deny 20", i, i)
		case 2: // by our own marks
			line("route-map OUT%d permit 10\n match community OURS\n match ip address prefix-list ANY", i)
		case 3: // by a called map
			line("route-map OUT%d permit 10\n call CALLED", i)
		case 4: // by tag, then lists
			line("route-map OUT%d deny 5\n match community LEARNED\nroute-map OUT%d permit 10\n match ip address prefix-list OWN\nroute-map OUT%d permit 20\n match as-path LOCAL", i, i, i)
		case 5: // by the filter at the session or the cone
			line("route-map OUT%d permit 10\n match as-path CONE\n match ip address prefix-list ANY", i)
		}
	}
	return b.String()
}
