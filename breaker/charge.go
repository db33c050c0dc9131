package breaker

// gains records which prefixes that were down are desired again. A prefix that
// was never lost needs no record.
func (m *Model) gains(p *Proposal) {
	var items []Item
	for _, g := range p.Gains {
		if FamilyOf(g) == 0 {
			continue
		}
		if _, ok := m.down[prefixKey(g)]; ok {
			items = append(items, Item{Prefix: g})
		}
	}
	if len(items) > 0 {
		m.emit(Record{Kind: RecordGain, ID: p.ID, Actor: p.Actor, Generation: p.Generation, Items: items})
	}
}

// charge writes down what was allowed.
func (a *admission) charge() {
	var items []Item
	add := func(losses []Loss, class Class) {
		for i := range losses {
			l := &losses[i]
			items = append(items, Item{Prefix: l.Prefix, Account: l.Account, Class: class, Weight: l.Weight, Services: l.Services, Neighbors: l.Neighbors})
		}
	}
	add(a.counted, Counted)
	add(a.excused, a.class)
	add(a.atRest, AtRest)
	add(a.modified(), Modified)
	for _, u := range a.p.Unbinds {
		items = append(items, Item{Prefix: u.Prefix, Account: u.Account, Class: Binding, Services: []string{u.Service}})
	}
	a.m.gains(a.p)
	if len(items) == 0 {
		return
	}
	a.m.tellAll()
	a.m.emit(Record{
		Kind: RecordCharge, ID: a.p.ID, Actor: a.p.Actor, Generation: a.p.Generation, Lane: a.p.Lane, Approval: a.p.Approval,
		WhileOpen: a.whileOpen, Reason: a.p.Reason, Incident: a.p.Incident, Base: trim(a.b, items), Items: items,
	})
}

// trim keeps of a baseline what the items need.
func trim(b *Baseline, items []Item) Baseline {
	t := Baseline{Customer: b.Customer, Space: b.Space, Bindings: b.Bindings, accountCount: b.accounts()}
	put := func(to *map[string]Count, from map[string]Count, name string) {
		if c, ok := from[name]; ok {
			if *to == nil {
				*to = map[string]Count{}
			}
			(*to)[name] = c
		}
	}
	for i := range items {
		put(&t.Accounts, b.Accounts, items[i].Account)
		for _, s := range items[i].Services {
			put(&t.Services, b.Services, s)
		}
		for _, n := range items[i].Neighbors {
			put(&t.Neighbors, b.Neighbors, n)
		}
	}
	return t
}
