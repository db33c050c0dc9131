package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// BeyondEdge tells what became of routes beyond us. It can change nothing.
type BeyondEdge interface {
	// Sightings is what is known of a prefix that was sent to the neighbors; a
	// stage of which nothing is known has an unknown one.
	Sightings(prefix netip.Prefix, neighbors []string) []Sighting
	// State lists what is wrong, and how the routers that tell it stand.
	State() (findings []BeyondFinding, routers []BeyondRouter, refused uint64)
}

// GetBeyond gives what routers tell of our routes.
func (h *handlers) GetBeyond(context.Context, GetBeyondRequestObject) (GetBeyondResponseObject, error) {
	if h.cfg.Beyond == nil {
		return nil, missing("BMP station")
	}
	findings, routers, refused := h.cfg.Beyond.State()
	return GetBeyond200JSONResponse{Items: findings, Routers: routers, RefusedConnections: int64(refused), Scope: "all", Environment: h.environment(),
		Count: len(findings), Total: len(findings)}, nil
}

// beyond sums up what is known of a route.
func (h *handlers) beyond(p netip.Prefix, sentTo []string) *Beyond {
	out := Beyond{Sent: BeyondAnswerNo, Sightings: h.cfg.Beyond.Sightings(p, sentTo)}
	if len(sentTo) > 0 {
		out.Sent = BeyondAnswerYes
	}
	out.Accepted = summedUp(out.Sightings, SightingStageAccepted)
	out.ToTransit = summedUp(out.Sightings, SightingStageToTransit)
	out.Outside = summedUp(out.Sightings, SightingStageOutside)
	return &out
}

// summedUp is the answer of a stage: one that says no outweighs, and nobody's word is no yes.
func summedUp(all []Sighting, stage SightingStage) BeyondAnswer {
	out := BeyondAnswer("")
	for _, s := range all {
		switch {
		case s.Stage != stage:
		case s.Answer == BeyondAnswerNo || out == BeyondAnswerNo:
			out = BeyondAnswerNo
		case s.Answer != BeyondAnswerYes || out == BeyondAnswerUnknown:
			out = BeyondAnswerUnknown
		default:
			out = BeyondAnswerYes
		}
	}
	if out == "" {
		return BeyondAnswerUnknown
	}
	return out
}

// beyondSentence says it in words, with who says no; nothing where nobody tells
// anything.
func beyondSentence(b Beyond) string {
	if b.Sent != BeyondAnswerYes || b.Accepted == BeyondAnswerUnknown && b.ToTransit == BeyondAnswerUnknown && b.Outside == BeyondAnswerUnknown {
		return ""
	}
	var parts []string
	for _, stage := range []struct {
		stage  SightingStage
		answer BeyondAnswer
		words  string
	}{{SightingStageAccepted, b.Accepted, "accepted by edge"}, {SightingStageToTransit, b.ToTransit, "sent to transit"}, {SightingStageOutside, b.Outside, "seen outside"}} {
		text := fmt.Sprintf("%s: %s", stage.words, stage.answer)
		var who []string
		for _, s := range b.Sightings {
			name := strings.TrimSpace(s.Router + " " + s.Session)
			if s.Stage == stage.stage && s.Answer == BeyondAnswerNo && !slices.Contains(who, name) {
				who = append(who, name)
			}
		}
		if len(who) > 0 {
			text += " (" + joinComma(who) + ")"
		}
		parts = append(parts, text)
	}
	return "; " + strings.Join(parts, ", ")
}
