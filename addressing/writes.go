package addressing

// The writes of a mutation: each keeps both images for the audit log, moves
// the version, and remembers the prefixes whose routes it may change.

// prior is nil for an object that is new.

func (m *mutation) saveAccount(prior *Account, a Account) error {
	if prior != nil {
		m.images[0].Accounts = append(m.images[0].Accounts, *prior)
	}
	a.Version = 1
	if prior != nil {
		a.Version = prior.Version + 1
	}
	m.images[1].Accounts = append(m.images[1].Accounts, a)
	m.object(a.ID)
	return m.tx.SaveAccount(a)
}

func (m *mutation) saveService(prior *Service, s Service) error {
	s.Version = 1
	if prior != nil {
		m.images[0].Services = append(m.images[0].Services, *prior)
		s.Version = prior.Version + 1
	}
	m.images[1].Services = append(m.images[1].Services, s)
	m.object(s.ID)
	return m.tx.SaveService(s)
}

func (m *mutation) savePrefix(prior *Prefix, p Prefix) (Prefix, error) {
	if err := m.touch(p.ID); err != nil {
		return p, err
	}
	p.Version, p.ModifiedAt = 1, m.req.At.UTC()
	if prior != nil {
		m.images[0].Prefixes = append(m.images[0].Prefixes, *prior)
		p.Version = prior.Version + 1
	}
	m.images[1].Prefixes = append(m.images[1].Prefixes, p)
	m.object(p.ID)
	return p, m.tx.SavePrefix(p)
}

func (m *mutation) deletePrefix(p Prefix) error {
	if err := m.touch(p.ID); err != nil {
		return err
	}
	m.images[0].Prefixes = append(m.images[0].Prefixes, p)
	m.object(p.ID)
	return m.tx.DeletePrefix(p.ID, p.Version)
}

func (m *mutation) saveBGPPrefix(prior *BGPPrefix, b BGPPrefix) (BGPPrefix, error) {
	if err := m.touch(b.PrefixID); err != nil {
		return b, err
	}
	b.Version, b.ModifiedAt = 1, m.req.At.UTC()
	if prior != nil {
		m.images[0].BGPPrefixes = append(m.images[0].BGPPrefixes, *prior)
		b.Version = prior.Version + 1
	}
	m.images[1].BGPPrefixes = append(m.images[1].BGPPrefixes, b)
	m.object(b.ID)
	return b, m.tx.SaveBGPPrefix(b)
}

func (m *mutation) deleteBGPPrefix(b BGPPrefix) error {
	if err := m.touch(b.PrefixID); err != nil {
		return err
	}
	m.images[0].BGPPrefixes = append(m.images[0].BGPPrefixes, b)
	m.object(b.ID)
	return m.tx.DeleteBGPPrefix(b.ID, b.Version)
}

func (m *mutation) insertBinding(b Binding) error {
	if err := m.touch(b.PrefixID); err != nil {
		return err
	}
	m.images[1].Bindings = append(m.images[1].Bindings, b)
	m.object(b.ID)
	return m.tx.InsertBinding(b)
}

func (m *mutation) deleteBinding(b Binding) error {
	if err := m.touch(b.PrefixID); err != nil {
		return err
	}
	m.images[0].Bindings = append(m.images[0].Bindings, b)
	m.object(b.ID)
	return m.tx.DeleteBinding(b.ID)
}

func (m *mutation) insertIntent(n NegativeIntent) error {
	if err := m.touchUnder(n); err != nil {
		return err
	}
	m.images[1].Negative = append(m.images[1].Negative, n)
	m.object(n.ID)
	return m.tx.InsertIntent(n)
}

func (m *mutation) deleteIntent(n NegativeIntent) error {
	if err := m.touchUnder(n); err != nil {
		return err
	}
	m.images[0].Negative = append(m.images[0].Negative, n)
	m.object(n.ID)
	return m.tx.DeleteIntent(n.ID)
}

// touchUnder remembers every prefix that a negative intent can reach.
func (m *mutation) touchUnder(n NegativeIntent) error {
	if !n.CIDR.IsValid() || m.bulk {
		return nil
	}
	under, err := m.tx.Overlapping(n.CIDR)
	if err != nil {
		return err
	}
	for _, p := range under {
		if err := m.touch(p.ID); err != nil {
			return err
		}
	}
	return nil
}

func (m *mutation) saveToken(prior *TokenRecord, t TokenRecord) error {
	t.Version = 1
	if prior != nil {
		m.images[0].Tokens = append(m.images[0].Tokens, prior.withoutHash())
		t.Version = prior.Version + 1
	}
	m.images[1].Tokens = append(m.images[1].Tokens, t.withoutHash())
	m.tokens = true
	m.object(t.ID)
	return m.tx.SaveToken(t)
}

func (t TokenRecord) withoutHash() TokenRecord {
	t.Hash = ""
	return t
}

func (m *mutation) saveDelegation(prior *Delegation, d Delegation) error {
	d.Version = 1
	if prior != nil {
		m.images[0].Delegations = append(m.images[0].Delegations, *prior)
		d.Version = prior.Version + 1
	}
	m.images[1].Delegations = append(m.images[1].Delegations, d)
	m.object(d.ID)
	return m.tx.SaveDelegation(d)
}

func (m *mutation) deleteDelegation(d Delegation) error {
	m.images[0].Delegations = append(m.images[0].Delegations, d)
	m.object(d.ID)
	return m.tx.DeleteDelegation(d.ID, d.Version)
}
