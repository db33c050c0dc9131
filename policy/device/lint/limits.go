package lint

func (a *analysis) limits() {}
