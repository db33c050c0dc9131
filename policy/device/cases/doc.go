// Package cases reads test cases for policy evaluators and decides them.
//
// It takes the JSON format of testdata/oracle: routes with the session they
// were learned from, and cases that name a configuration, a session or policy
// and a direction. It gives one decision per route and case. Expectations in
// the file are never looked at.
//
// A case that cannot be judged is decided "unknown" with the reason; it is
// never left out.
package cases
