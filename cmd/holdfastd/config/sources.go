package config

import "time"

// Defaults of validation and clean-up.
const (
	defaultRefresh      = 10 * time.Minute
	defaultCleanupEvery = time.Hour
	defaultCleanupCap   = 10
)

func (j *judge) resolveSources(c *Config, r rpkiSection, i irrSection) {
	c.RPKI = RPKI{
		File:    j.path("rpki.file", r.File, false),
		SLURM:   j.path("rpki.slurm", r.SLURM, false),
		Refresh: j.duration("rpki.refresh", r.Refresh, defaultRefresh, time.Second, 24*time.Hour),
	}
	c.IRR.File = j.path("irr.file", i.File, false)
	if r.RTR != "" {
		c.RPKI.RTR = j.listen("rpki.rtr", r.RTR)
	}
	if i.Whois != "" {
		c.IRR.Whois = j.listen("irr.whois", i.Whois)
	}
	switch {
	case r.File != "" && r.RTR != "":
		j.wrong("rpki.rtr", "there is a file too, and the two may disagree", "keep one of the two")
	case r.SLURM != "" && r.File == "" && r.RTR == "":
		j.wrong("rpki.slurm", "there is nothing to except from", "give rpki.file or rpki.rtr")
	}
}

func (j *judge) resolveCleanup(c *Config, p cleanupPart) {
	c.Cleanup = Cleanup{
		Enabled: p.Enabled,
		Apply:   p.DryRun != nil && !*p.DryRun,
		Every:   j.duration("cleanup.every", p.Every, defaultCleanupEvery, time.Second, 7*24*time.Hour),
		Cap:     defaultCleanupCap,
	}
	if p.Cap != nil {
		c.Cleanup.Cap = *p.Cap
		if *p.Cap < 1 || *p.Cap > 100 {
			j.wrong("cleanup.cap", "must be 1 to 100 deletions of one run", "leave it out for 10")
		}
	}
}
