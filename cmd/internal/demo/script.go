//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// script is somebody's automation: a token, a base URL and no doubts.
type script struct {
	base  string
	token string
	http  *http.Client
}

func newScript(base, token string) script {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = hurry
	return script{base: base, token: token, http: &http.Client{Transport: t, Timeout: 30 * time.Second}}
}

// hurry is how many requests an unthrottled script has under way.
const hurry = 16

// call sends one request. The path may hold a query that no URL type would
// write.
func (s script) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// list asks for prefixes with a query and gives the ids in the answer, if it
// is one.
func (s script) list(ctx context.Context, query string) (status int, body []byte, ids []string, err error) {
	status, body, err = s.call(ctx, http.MethodGet, "/v1/prefixes"+query, "")
	if err != nil || status != http.StatusOK {
		return status, body, nil, err
	}
	var l struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return status, body, nil, fmt.Errorf("list of prefixes: %w", err)
	}
	for _, p := range l.Items {
		ids = append(ids, p.ID)
	}
	return status, body, ids, nil
}

// cleanUp is the task of 20 February: it asks for the prefixes that are to be
// deleted and deletes every one it is given, one after the other, with a pause
// between two if there is one. It stops when stop says so.
func (s script) cleanUp(ctx context.Context, query string, pause time.Duration, stop func(deleted int) bool) (*answers, error) {
	told := &answers{}
	status, body, ids, err := s.list(ctx, query)
	if err != nil {
		return told, err
	}
	if status != http.StatusOK {
		told.add(status, body)
		return told, nil
	}
	next := time.Now()
	for i, id := range ids {
		if stop != nil && stop(i) {
			return told, nil
		}
		status, body, err := s.call(ctx, http.MethodDelete, "/v1/prefixes/"+id, "")
		if err != nil {
			return told, err
		}
		told.add(status, body)
		next = next.Add(pause)
		if err := sleepUntil(ctx, next); err != nil {
			return told, err
		}
	}
	return told, nil
}

func sleepUntil(ctx context.Context, t time.Time) error {
	wait := time.Until(t)
	if wait <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withdrawAll withdraws every prefix there is as fast as the server answers,
// both families and all accounts mixed, in the same order every time.
func (s script) withdrawAll(ctx context.Context) (*answers, error) {
	told := &answers{}
	status, body, ids, err := s.list(ctx, "")
	if err != nil {
		return told, err
	}
	if status != http.StatusOK {
		return told, fmt.Errorf("list of prefixes: %d: %.200s", status, body)
	}
	rand.New(rand.NewPCG(20, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hurry)
	for _, id := range ids {
		group.Go(func() error {
			status, body, err := s.call(ctx, http.MethodPost, "/v1/prefixes/"+id+"/withdraw", `{"reason":"maintenance script"}`)
			if err == nil {
				told.add(status, body)
			}
			return err
		})
	}
	return told, group.Wait()
}
