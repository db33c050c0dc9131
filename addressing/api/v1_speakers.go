package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Feed is what speakers that run alone pull. None of it may need the store.
type Feed interface {
	// Pointer gives the signed head of the last-known-good and the permit, nil
	// if there is none, and a tag of the two; another is closed when they change.
	Pointer() (head, permit []byte, tag string, another <-chan struct{})
	// Manifest and Part give bytes by content address.
	Manifest(id snapshots.ID) ([]byte, error)
	Part(sum snapshots.Sum) ([]byte, error)
	// Bundle writes the parts of a snapshot that base has not.
	Bundle(w io.Writer, id, base snapshots.ID) error
}

// Speakers is what speakers that run alone have reported.
type Speakers interface {
	// Report files a report of the speaker.
	Report(ctx context.Context, speaker string, report SpeakerReport) error
	// List gives the last report of each, sorted by name.
	List(ctx context.Context) ([]LoneSpeaker, error)
}

// GetSnapshotPointer gives the pointer, or waits until it is another one.
func (h *handlers) GetSnapshotPointer(ctx context.Context, r GetSnapshotPointerRequestObject) (GetSnapshotPointerResponseObject, error) {
	if h.cfg.Feed == nil {
		return nil, missing("snapshot feed")
	}
	known := ""
	if r.Params.IfNoneMatch != nil {
		known = strings.Trim(*r.Params.IfNoneMatch, `"`)
	}
	var patience <-chan time.Time
	if r.Params.Wait != nil {
		timer := time.NewTimer(time.Duration(*r.Params.Wait) * time.Second)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		head, permit, tag, another := h.cfg.Feed.Pointer()
		switch {
		case head == nil:
			return nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "snapshot pointer", Detail: "there is no generation yet"}
		case tag != known:
			return GetSnapshotPointer200JSONResponse{Body: SnapshotPointer{Head: string(head), Permit: string(permit)},
				Headers: GetSnapshotPointer200ResponseHeaders{ETag: ptr(`"` + tag + `"`)}}, nil
		case patience == nil:
			return GetSnapshotPointer304Response{}, nil
		}
		select {
		case <-another:
		case <-patience:
			return GetSnapshotPointer304Response{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// GetSnapshotManifest gives a manifest by content address.
func (h *handlers) GetSnapshotManifest(_ context.Context, r GetSnapshotManifestRequestObject) (GetSnapshotManifestResponseObject, error) {
	if h.cfg.Feed == nil {
		return nil, missing("snapshot feed")
	}
	raw, err := h.cfg.Feed.Manifest(snapshots.ID(r.SnapshotID))
	if err != nil {
		return nil, notStored(err)
	}
	return GetSnapshotManifest200ApplicationOctetStreamResponse{Body: bytes.NewReader(raw), ContentLength: int64(len(raw))}, nil
}

// GetSnapshotPart gives a part by content address.
func (h *handlers) GetSnapshotPart(_ context.Context, r GetSnapshotPartRequestObject) (GetSnapshotPartResponseObject, error) {
	if h.cfg.Feed == nil {
		return nil, missing("snapshot feed")
	}
	raw, err := h.cfg.Feed.Part(snapshots.Sum(r.Part))
	if err != nil {
		return nil, notStored(err)
	}
	return GetSnapshotPart200ApplicationOctetStreamResponse{Body: bytes.NewReader(raw), ContentLength: int64(len(raw))}, nil
}

// GetSnapshotBundle streams the parts that base has not.
func (h *handlers) GetSnapshotBundle(_ context.Context, r GetSnapshotBundleRequestObject) (GetSnapshotBundleResponseObject, error) {
	if h.cfg.Feed == nil {
		return nil, missing("snapshot feed")
	}
	if _, err := h.cfg.Feed.Manifest(snapshots.ID(r.SnapshotID)); err != nil {
		return nil, notStored(err)
	}
	base := snapshots.ID("")
	if r.Params.Base != nil {
		base = snapshots.ID(*r.Params.Base)
	}
	in, out := io.Pipe()
	go func() { out.CloseWithError(h.cfg.Feed.Bundle(out, snapshots.ID(r.SnapshotID), base)) }()
	return GetSnapshotBundle200ApplicationOctetStreamResponse{Body: in}, nil
}

func notStored(err error) error {
	if errors.Is(err, snapshots.ErrUnknown) {
		return &addressing.Error{Code: addressing.CodeNotFound, Op: "snapshot feed", Detail: "no snapshot that is kept has it", Next: "follow the pointer"}
	}
	return err
}

// ReportSpeaker files what a speaker says of itself.
func (h *handlers) ReportSpeaker(ctx context.Context, r ReportSpeakerRequestObject) (ReportSpeakerResponseObject, error) {
	if h.cfg.Speakers == nil {
		return nil, missing("register of speakers")
	}
	if err := h.cfg.Speakers.Report(ctx, r.Speaker, *r.Body); err != nil {
		return nil, err
	}
	return ReportSpeaker200JSONResponse{Generation: int64(h.pipelineState().Generation)}, nil
}

// ListSpeakers lists the speakers that run alone as they last reported.
func (h *handlers) ListSpeakers(ctx context.Context, _ ListSpeakersRequestObject) (ListSpeakersResponseObject, error) {
	if h.cfg.Speakers == nil {
		return nil, missing("register of speakers")
	}
	all, err := h.cfg.Speakers.List(ctx)
	if err != nil {
		return nil, err
	}
	return ListSpeakers200JSONResponse{Items: all, Scope: "all", Environment: h.environment(), Count: len(all), Total: len(all)}, nil
}
