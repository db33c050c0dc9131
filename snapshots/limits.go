package snapshots

// Limits are hard upper bounds of what a snapshot may hold. They are not
// policy: they keep a runaway file from taking a speaker down.
type Limits struct {
	Accounts      int
	Prefixes      int // prefix records over all accounts
	Routes        int
	Neighbors     int
	PartBytes     int64
	ManifestBytes int64
}

// DefaultLimits leave room for two million routes.
func DefaultLimits() Limits {
	return Limits{Accounts: 200_000, Prefixes: 2_000_000, Routes: 2_000_000, Neighbors: 2_000, PartBytes: 1 << 30, ManifestBytes: 64 << 20}
}

// orDefault fills in what is not set.
func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, want *int }{
		{&l.Accounts, &d.Accounts}, {&l.Prefixes, &d.Prefixes}, {&l.Routes, &d.Routes}, {&l.Neighbors, &d.Neighbors},
	} {
		if *f.have == 0 {
			*f.have = *f.want
		}
	}
	if l.PartBytes == 0 {
		l.PartBytes = d.PartBytes
	}
	if l.ManifestBytes == 0 {
		l.ManifestBytes = d.ManifestBytes
	}
	return l
}

// Expect is what a snapshot is checked against.
type Expect struct {
	Environment string // required: a snapshot of another environment is refused
	Limits      Limits // zero means DefaultLimits
	// Previous, if set, is compared by count: with MaxRemoved set, a snapshot
	// with more than that many routes fewer is refused.
	Previous   *Manifest
	MaxRemoved int
}
