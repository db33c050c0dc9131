package lint

func (a *analysis) tags() {}
