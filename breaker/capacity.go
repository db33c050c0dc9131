package breaker

import "fmt"

// Path is a site or a provider that traffic may take.
type Path struct {
	Name     string
	Load     float64 // bits per second now
	Fresh    bool    // the load is known
	Capacity float64 // bits per second; 0 is not known
}

// Strain is how full the remaining paths would be. The zero value says nothing.
type Strain struct {
	Load    int    // of the fullest path, in thousandths of its capacity; 0 is not known
	Where   string // that path, with its figures
	Unknown string // why nothing is known
}

// Estimate says how full paths would be if so much more traffic came to them
// (BRK-07). It is shared out in proportion to what each carries now, as
// nobody knows better: what a path gets today says how near the senders are.
// Where any figure is missing, nothing is estimated.
func Estimate(left []Path, moved float64) Strain {
	var carried, room float64
	for _, p := range left {
		switch {
		case p.Capacity <= 0:
			return Strain{Unknown: "the capacity of " + p.Name + " is not configured"}
		case !p.Fresh:
			return Strain{Unknown: "nobody says what " + p.Name + " carries now"}
		}
		carried += p.Load
		room += p.Capacity
	}
	if len(left) == 0 {
		return Strain{Unknown: "no other path is left"}
	}
	out := Strain{Load: 1} // known, and as good as nothing
	for _, p := range left {
		share := p.Capacity / room
		if carried > 0 {
			share = p.Load / carried
		}
		after := p.Load + moved*share
		if n := int(min(1e9, 1000*after/p.Capacity)); n > out.Load || out.Where == "" {
			out.Load = max(1, n)
			out.Where = fmt.Sprintf("%s from %s to %s of %s", p.Name, bits(p.Load), bits(after), bits(p.Capacity))
		}
	}
	return out
}

// bits writes bits per second with three digits and their unit.
func bits(n float64) string {
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}
	i := 0
	for n >= 1000 && i < len(units)-1 {
		n, i = n/1000, i+1
	}
	return fmt.Sprintf("%.3g %s", n, units[i])
}

// String is the estimate in words.
func (s Strain) String() string {
	if s.Load == 0 {
		return "load not known: " + s.Unknown
	}
	return fmt.Sprintf("the paths left would be loaded to %d %% (%s)", s.Load/10, s.Where)
}
