package health

// Verdict is what health says of a wave. The zero Verdict holds.
type Verdict uint8

// Verdicts.
const (
	NoData      Verdict = iota // a source is configured and does not tell: wait
	Fail                       // harm: stop and put back
	Pass                       // nothing is worse than before
	Unmonitored                // no source for this class of change: soak alone
)

var verdicts = [...]string{"no data", "fail", "pass", "unmonitored"}

func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return "no data"
}
