// Command gowalk walks the whole life of a prefix with Cloudflare's own Go
// client, unchanged but for its base URL. It is a module of its own, so that
// the client is a dependency of the tests alone.
//
// It reads BASE_URL, ACCOUNT, OTHER_ACCOUNT, TOKEN, READ_ONLY, V1_URL and
// OPERATOR from the environment, prints a line a step, and exits 1 at the first
// step that does not answer as the contract says.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	cloudflare "github.com/cloudflare/cloudflare-go/v6"
	"github.com/cloudflare/cloudflare-go/v6/addressing"
	"github.com/cloudflare/cloudflare-go/v6/option"
)

const (
	block    = "193.0.0.0/21"
	specific = "193.0.2.0/24"
)

type walk struct {
	ctx                    context.Context
	c, reader              *cloudflare.Client
	account, other         string
	prefix, service, route string
	binding                string
	n                      int
}

func main() {
	w := &walk{ctx: context.Background(), account: os.Getenv("ACCOUNT"), other: os.Getenv("OTHER_ACCOUNT")}
	base := option.WithBaseURL(os.Getenv("BASE_URL"))
	w.c = cloudflare.NewClient(base, option.WithAPIToken(os.Getenv("TOKEN")))
	w.reader = cloudflare.NewClient(base, option.WithAPIToken(os.Getenv("READ_ONLY")))
	w.onboarding()
	w.binding_()
	w.advertising()
	w.delegations()
	w.letters()
	w.ending()
	fmt.Printf("%d passed, 0 failed\n", w.n)
}

// ok ends the walk unless err is nil and every check holds.
func (w *walk) ok(step string, err error, checks ...bool) {
	w.n++
	if err != nil {
		fmt.Printf("step %d %s: %v\n0 passed, 1 failed\n", w.n, step, err)
		os.Exit(1)
	}
	for i, c := range checks {
		if !c {
			fmt.Printf("step %d %s: check %d does not hold\n0 passed, 1 failed\n", w.n, step, i+1)
			os.Exit(1)
		}
	}
	fmt.Printf("step %d %s: ok\n", w.n, step)
}

// refused wants the status, and quickly: the client retries ten times with
// back-off unless it is told that the refusal is final.
func (w *walk) refused(step string, status int, begun time.Time, err error) {
	var e *cloudflare.Error
	if !errors.As(err, &e) {
		w.ok(step, fmt.Errorf("want status %d, got %v", status, err))
	}
	took := time.Since(begun)
	if e.StatusCode != status || took > 5*time.Second || len(e.Errors) == 0 || e.Errors[0].Code < 1000 || e.Errors[0].Message == "" {
		w.ok(step, fmt.Errorf("want status %d at once with a code and a message, got %d after %s: %v", status, e.StatusCode, took, err))
	}
	w.ok(step, nil)
}

func (w *walk) onboarding() {
	services, err := w.c.Addressing.Services.List(w.ctx, addressing.ServiceListParams{AccountID: cloudflare.F(w.account)})
	w.ok("services", err, len(services.Result) == 1, services.Result[0].Name == "CDN")
	w.service = services.Result[0].ID
	list, err := w.c.Addressing.Prefixes.List(w.ctx, addressing.PrefixListParams{AccountID: cloudflare.F(w.account)})
	w.ok("no prefix yet", err, len(list.Result) == 0)
	p, err := w.newPrefix(block)
	w.ok("create a prefix", err, p.Approved == "P", p.CIDR == block, p.ASN == 64500, len(p.ID) == 32, p.Description == "", p.LOADocumentID == "", !p.OnDemandEnabled)
	w.prefix = p.ID
	t := time.Now()
	_, err = w.newPrefix(block)
	w.refused("create it again is refused, not doubled", 409, t, err)
	t = time.Now()
	_, err = w.newPrefix("193.0.0.1/21")
	w.refused("host bits", 400, t, err)
	t = time.Now()
	_, err = w.newPrefix("193.0.8.0/25")
	w.refused("too small", 400, t, err)
	t = time.Now()
	_, err = w.c.Addressing.Prefixes.Edit(w.ctx, w.prefix, addressing.PrefixEditParams{AccountID: cloudflare.F(w.other), Description: cloudflare.F("x")})
	w.refused("another account", 403, t, err)
	t = time.Now()
	_, err = w.reader.Addressing.Prefixes.Edit(w.ctx, w.prefix, addressing.PrefixEditParams{AccountID: cloudflare.F(w.account), Description: cloudflare.F("x")})
	w.refused("a read-only token edits nothing", 403, t, err)
	got, err := w.reader.Addressing.Prefixes.Get(w.ctx, w.prefix, addressing.PrefixGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("a read-only token reads", err, got.ID == w.prefix)
	got, err = w.c.Addressing.Prefixes.Edit(w.ctx, w.prefix, addressing.PrefixEditParams{AccountID: cloudflare.F(w.account), Description: cloudflare.F("our block")})
	w.ok("describe", err, got.Description == "our block")
	got, err = w.c.Addressing.Prefixes.Edit(w.ctx, w.prefix, addressing.PrefixEditParams{AccountID: cloudflare.F(w.account), Description: cloudflare.Null[string]()})
	w.ok("null clears the description", err, got.Description == "", got.JSON.Description.IsNull())
	t = time.Now()
	_, err = w.bind(block)
	w.refused("no binding before approval", 409, t, err)
	w.ok("an operator approves", w.approve())
	got, err = w.c.Addressing.Prefixes.Get(w.ctx, w.prefix, addressing.PrefixGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("approved", err, got.Approved == "V", got.OnDemandEnabled, !got.OnDemandLocked)
	list, err = w.c.Addressing.Prefixes.List(w.ctx, addressing.PrefixListParams{AccountID: cloudflare.F(w.account)})
	w.ok("listed", err, len(list.Result) == 1, list.Result[0].ID == w.prefix)
	t = time.Now()
	_, err = w.c.Addressing.Prefixes.Get(w.ctx, "00000000000000000000000000000000", addressing.PrefixGetParams{AccountID: cloudflare.F(w.account)})
	w.refused("an unknown prefix", 404, t, err)
}

func (w *walk) newPrefix(cidr string) (*addressing.Prefix, error) {
	return w.c.Addressing.Prefixes.New(w.ctx, addressing.PrefixNewParams{AccountID: cloudflare.F(w.account), ASN: cloudflare.F(int64(64500)), CIDR: cloudflare.F(cidr)})
}

func (w *walk) bind(cidr string) (*addressing.ServiceBinding, error) {
	return w.c.Addressing.Prefixes.ServiceBindings.New(w.ctx, w.prefix, addressing.PrefixServiceBindingNewParams{AccountID: cloudflare.F(w.account), CIDR: cloudflare.F(cidr), ServiceID: cloudflare.F(w.service)})
}

// approve is the operator's part; Cloudflare's API has none.
func (w *walk) approve() error {
	req, err := http.NewRequest("POST", os.Getenv("V1_URL")+"/prefixes/"+w.prefix+"/approve", bytes.NewReader([]byte(`{"accept_risk":["unverified"]}`)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+os.Getenv("OPERATOR"))
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(r.Body)
		return fmt.Errorf("status %d: %s", r.StatusCode, body)
	}
	return nil
}

func (w *walk) binding_() {
	t := time.Now()
	_, err := w.bind(specific)
	w.refused("the first binding is the whole prefix", 400, t, err)
	b, err := w.bind(block)
	w.ok("bind", err, b.CIDR == block, b.ServiceName == "CDN", b.Provisioning.State == "active")
	w.binding = b.ID
	t = time.Now()
	_, err = w.bind(block)
	w.refused("bind it again is refused, not doubled", 409, t, err)
	bs, err := w.c.Addressing.Prefixes.ServiceBindings.List(w.ctx, w.prefix, addressing.PrefixServiceBindingListParams{AccountID: cloudflare.F(w.account)})
	w.ok("bindings", err, len(bs.Result) == 1, bs.Result[0].ID == w.binding)
	b, err = w.c.Addressing.Prefixes.ServiceBindings.Get(w.ctx, w.prefix, w.binding, addressing.PrefixServiceBindingGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("one binding", err, b.ServiceID == w.service)
	gs, err := w.c.Addressing.Prefixes.BGPPrefixes.List(w.ctx, w.prefix, addressing.PrefixBGPPrefixListParams{AccountID: cloudflare.F(w.account)})
	w.ok("the default BGP prefix is there, withdrawn", err, len(gs.Result) == 1, gs.Result[0].CIDR == block, !gs.Result[0].OnDemand.Advertised)
	w.route = gs.Result[0].ID
}

func (w *walk) toggle(on bool) (*addressing.BGPPrefix, error) {
	return w.c.Addressing.Prefixes.BGPPrefixes.Edit(w.ctx, w.prefix, w.route, addressing.PrefixBGPPrefixEditParams{AccountID: cloudflare.F(w.account),
		OnDemand: cloudflare.F(addressing.PrefixBGPPrefixEditParamsOnDemand{Advertised: cloudflare.F(on)})})
}

func (w *walk) advertising() {
	g, err := w.toggle(true)
	w.ok("advertise", err, g.OnDemand.Advertised, !g.OnDemand.AdvertisedModifiedAt.IsZero())
	since := g.OnDemand.AdvertisedModifiedAt
	g, err = w.toggle(true)
	w.ok("advertise again moves no time", err, g.OnDemand.Advertised, g.OnDemand.AdvertisedModifiedAt.Equal(since))
	g, err = w.c.Addressing.Prefixes.BGPPrefixes.Edit(w.ctx, w.prefix, w.route, addressing.PrefixBGPPrefixEditParams{AccountID: cloudflare.F(w.account), ASNPrependCount: cloudflare.F(int64(2))})
	w.ok("prepend", err, g.ASNPrependCount == 2, g.OnDemand.Advertised)
	t := time.Now()
	_, err = w.c.Addressing.Prefixes.BGPPrefixes.Edit(w.ctx, w.prefix, w.route, addressing.PrefixBGPPrefixEditParams{AccountID: cloudflare.F(w.account), ASNPrependCount: cloudflare.F(int64(4))})
	w.refused("prepend four times", 400, t, err)
	st, err := w.c.Addressing.Prefixes.AdvertisementStatus.Get(w.ctx, w.prefix, addressing.PrefixAdvertisementStatusGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("status", err, st.Advertised)
	t = time.Now()
	_, err = w.c.Addressing.Prefixes.Delete(w.ctx, w.prefix, addressing.PrefixDeleteParams{AccountID: cloudflare.F(w.account)})
	w.refused("an advertised prefix is not deleted", 409, t, err)
	t = time.Now()
	_, err = w.c.Addressing.Prefixes.ServiceBindings.Delete(w.ctx, w.prefix, w.binding, addressing.PrefixServiceBindingDeleteParams{AccountID: cloudflare.F(w.account)})
	w.refused("its last binding is not removed", 409, t, err)
	more, err := w.c.Addressing.Prefixes.BGPPrefixes.New(w.ctx, w.prefix, addressing.PrefixBGPPrefixNewParams{AccountID: cloudflare.F(w.account), CIDR: cloudflare.F(specific)})
	w.ok("a more-specific, withdrawn", err, more.CIDR == specific, !more.OnDemand.Advertised)
	got, err := w.c.Addressing.Prefixes.BGPPrefixes.Get(w.ctx, w.prefix, more.ID, addressing.PrefixBGPPrefixGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("read it", err, got.ID == more.ID)
}

func (w *walk) delegations() {
	d, err := w.c.Addressing.Prefixes.Delegations.New(w.ctx, w.prefix, addressing.PrefixDelegationNewParams{AccountID: cloudflare.F(w.account), CIDR: cloudflare.F(specific), DelegatedAccountID: cloudflare.F(w.other)})
	w.ok("delegate", err, d.CIDR == specific, d.DelegatedAccountID == w.other, d.ParentPrefixID == w.prefix)
	ds, err := w.c.Addressing.Prefixes.Delegations.List(w.ctx, w.prefix, addressing.PrefixDelegationListParams{AccountID: cloudflare.F(w.account)})
	w.ok("delegations", err, len(ds.Result) == 1)
	gone, err := w.c.Addressing.Prefixes.Delegations.Delete(w.ctx, w.prefix, d.ID, addressing.PrefixDelegationDeleteParams{AccountID: cloudflare.F(w.account)})
	w.ok("take the delegation back", err, gone.ID == d.ID)
}

func (w *walk) letters() {
	pdf := "%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
	l, err := w.c.Addressing.LOADocuments.New(w.ctx, addressing.LOADocumentNewParams{AccountID: cloudflare.F(w.account), LOADocument: cloudflare.F(pdf)})
	if err != nil {
		w.ok("upload a letter", err)
	}
	w.ok("upload a letter", err, l.ID != "", l.AccountID == w.account)
	r, err := w.c.Addressing.LOADocuments.Get(w.ctx, l.ID, addressing.LOADocumentGetParams{AccountID: cloudflare.F(w.account)})
	w.ok("download it", err)
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	w.ok("as it was", err, string(body) == pdf, r.Header.Get("Content-Type") == "application/pdf")
}

func (w *walk) ending() {
	st, err := w.c.Addressing.Prefixes.AdvertisementStatus.Edit(w.ctx, w.prefix, addressing.PrefixAdvertisementStatusEditParams{AccountID: cloudflare.F(w.account), Advertised: cloudflare.F(false)})
	w.ok("withdraw", err, !st.Advertised)
	_, err = w.c.Addressing.Prefixes.ServiceBindings.Delete(w.ctx, w.prefix, w.binding, addressing.PrefixServiceBindingDeleteParams{AccountID: cloudflare.F(w.account)})
	w.ok("unbind", err)
	_, err = w.c.Addressing.Prefixes.Delete(w.ctx, w.prefix, addressing.PrefixDeleteParams{AccountID: cloudflare.F(w.account)})
	w.ok("delete", err)
	t := time.Now()
	_, err = w.c.Addressing.Prefixes.Get(w.ctx, w.prefix, addressing.PrefixGetParams{AccountID: cloudflare.F(w.account)})
	w.refused("gone", 404, t, err)
	list, err := w.c.Addressing.Prefixes.List(w.ctx, addressing.PrefixListParams{AccountID: cloudflare.F(w.account)})
	w.ok("not listed", err, len(list.Result) == 0)
	p, err := w.newPrefix(block)
	w.ok("the same account may bring it again", err, p.ID != w.prefix, p.Approved == "P")
	w.prefix = p.ID
	_, err = w.c.Addressing.Prefixes.Delete(w.ctx, w.prefix, addressing.PrefixDeleteParams{AccountID: cloudflare.F(w.account)})
	w.ok("an unapproved prefix is removed", err)
}
