package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

func ref[T any](v T) *T { return &v }

// The whole life of a prefix through the generated client, on both surfaces:
// what the operator approves, the owner binds, advertises, withdraws, unbinds
// and deletes; every step shows on the other surface.
func TestLife(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	op, own := w.client("operator"), w.client("admin")

	created, err := own.CreateAccountPrefixWithResponse(ctx, w.account, nil, client.PrefixCreate{Cidr: "192.0.2.0/24", Asn: 64500})
	if err != nil || created.JSON201 == nil {
		t.Fatalf("create: %v %s", err, created.Body)
	}
	p := created.JSON201.Result
	if p.Approved != client.PrefixApprovedP || p.Advertised != nil || p.Description != nil || p.LoaDocumentID != nil || p.OwnershipValidationToken == "" {
		t.Errorf("a new prefix is %+v", p)
	}
	if again, _ := own.CreateAccountPrefixWithResponse(ctx, w.account, nil, client.PrefixCreate{Cidr: "192.0.2.0/24", Asn: 64500}); again.StatusCode() != http.StatusConflict {
		t.Errorf("a repeated create is %d, want 409", again.StatusCode())
	}
	if early, _ := own.CreateAccountBindingWithResponse(ctx, w.account, p.ID, nil, client.BindingCreate{Cidr: "192.0.2.0/24", ServiceID: w.service}); early.StatusCode() != http.StatusConflict {
		t.Errorf("binding before approval is %d, want 409", early.StatusCode())
	}

	approved, err := op.ApprovePrefixWithResponse(ctx, p.ID, nil, client.PrefixApprove{AcceptRisk: &[]string{"unverified"}})
	if err != nil || approved.JSON200 == nil {
		t.Fatalf("approve: %v %s", err, approved.Body)
	}
	if a := approved.JSON200; !a.OnDemandEnabled || a.OnDemandLocked || a.State != client.PrefixStatusStateApproved || a.ChangeID == nil {
		t.Errorf("approved prefix is %+v", a)
	}
	bound, err := own.CreateAccountBindingWithResponse(ctx, w.account, p.ID, nil, client.BindingCreate{Cidr: "192.0.2.0/24", ServiceID: w.service})
	if err != nil || bound.JSON201 == nil {
		t.Fatalf("bind: %v %s", err, bound.Body)
	}
	if b := bound.JSON201.Result; b.ServiceName != "CDN" || b.Provisioning.State != client.AccountBindingProvisioningStateActive {
		t.Errorf("binding is %+v", b)
	}
	list, err := own.ListAccountBGPPrefixesWithResponse(ctx, w.account, p.ID)
	if err != nil || list.JSON200 == nil || len(list.JSON200.Result) != 1 {
		t.Fatalf("the first binding makes no BGP prefix: %v %s", err, list.Body)
	}
	g := list.JSON200.Result[0]
	if g.OnDemand.Advertised == nil || *g.OnDemand.Advertised {
		t.Errorf("the default BGP prefix is not withdrawn: %+v", g)
	}

	toggle := func(on bool) *client.EditAccountBGPPrefixResponse {
		t.Helper()
		edit := client.BGPPrefixEdit{OnDemand: &struct {
			Advertised *bool `json:"advertised,omitempty"`
		}{ref(on)}}
		r, err := w.client("on-demand").EditAccountBGPPrefixWithResponse(ctx, w.account, p.ID, g.ID, nil, edit)
		if err != nil || r.JSON200 == nil {
			t.Fatalf("advertised=%v: %v %s", on, err, r.Body)
		}
		return r
	}
	first := toggle(true).JSON200.Result.OnDemand
	if first.Advertised == nil || !*first.Advertised || first.AdvertisedModifiedAt == nil {
		t.Errorf("advertised: %+v", first)
	}
	if second := toggle(true).JSON200.Result.OnDemand; !second.AdvertisedModifiedAt.Equal(*first.AdvertisedModifiedAt) {
		t.Error("re-advertising moved advertised_modified_at")
	}
	w.build()
	status, err := own.GetPrefixWithResponse(ctx, p.ID)
	if err != nil || status.JSON200 == nil {
		t.Fatalf("status: %v %s", err, status.Body)
	}
	s := status.JSON200
	if s.Desired != client.PrefixStatusDesiredAdvertised || !s.Bound || !s.Advertised || s.Held || strings.Join(s.SeenBy, ",") != "transit-a" {
		t.Errorf("status: %+v", s)
	}
	if by := s.Routes[0].Provenance.By; by == nil || !strings.HasPrefix(*by, "owner/") {
		t.Errorf("provenance: %+v", s.Routes[0].Provenance)
	}

	if r, _ := own.DeleteAccountPrefixWithResponse(ctx, w.account, p.ID, nil); r.StatusCode() != http.StatusConflict || r.HTTPResponse.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("deleting what is advertised is %d, X-Should-Retry %q", r.StatusCode(), r.HTTPResponse.Header.Get("X-Should-Retry"))
	}
	if r, _ := own.DeleteAccountBindingWithResponse(ctx, w.account, p.ID, bound.JSON201.Result.ID, nil); r.StatusCode() != http.StatusConflict {
		t.Errorf("removing the last binding of what is advertised is %d", r.StatusCode())
	}
	toggle(false)
	if intents, _ := own.ListNegativeIntentsWithResponse(ctx, nil); intents.JSON200 == nil || intents.JSON200.Count != 1 || intents.JSON200.Items[0].Kind != client.NegativeIntentKindOwner {
		t.Errorf("an owner's own withdrawal leaves no negative intent: %s", intents.Body)
	}
	if r, err := own.DeleteAccountBindingWithResponse(ctx, w.account, p.ID, bound.JSON201.Result.ID, nil); err != nil || r.StatusCode() != http.StatusOK {
		t.Fatalf("unbind: %v %s", err, r.Body)
	}
	if r, err := own.DeleteAccountPrefixWithResponse(ctx, w.account, p.ID, nil); err != nil || r.StatusCode() != http.StatusOK {
		t.Fatalf("delete: %v %s", err, r.Body)
	}
	if r, _ := own.GetAccountPrefixWithResponse(ctx, w.account, p.ID); r.StatusCode() != http.StatusNotFound {
		t.Errorf("a deleted prefix is %d on /client/v4", r.StatusCode())
	}
	pending, err := own.ListPendingDeletionsWithResponse(ctx, nil)
	if err != nil || pending.JSON200 == nil || pending.JSON200.Count != 1 || pending.JSON200.Items[0].ID != p.ID {
		t.Fatalf("pending deletions: %v %s", err, pending.Body)
	}
	back, err := own.UndeletePrefixWithResponse(ctx, p.ID, nil, client.ReasonOnly{Reason: ref("by mistake")})
	if err != nil || back.JSON200 == nil || back.JSON200.State != client.PrefixStatusStateApproved {
		t.Fatalf("undelete: %v %s", err, back.Body)
	}
	history, err := op.GetPrefixHistoryWithResponse(ctx, p.ID)
	if err != nil || history.JSON200 == nil || history.JSON200.Count < 6 || history.JSON200.Items[0].Reason != "by mistake" {
		t.Errorf("history: %v %s", err, history.Body)
	}
}

// Deprecated status, delegations and letters, as the SDKs call them.
func TestStatusDelegationsLetters(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	own := w.client("admin")
	d := w.prefix(w.account, "198.51.100.0/24", false)

	if r, err := own.EditAccountStatusWithResponse(ctx, w.account, d.ID, nil, client.StatusEdit{Advertised: true}); err != nil || r.JSON200 == nil || !*r.JSON200.Result.Advertised {
		t.Fatalf("status true: %v %s", err, r.Body)
	}
	if r, err := own.GetAccountStatusWithResponse(ctx, w.account, d.ID); err != nil || r.JSON200 == nil || !*r.JSON200.Result.Advertised || r.JSON200.Result.AdvertisedModifiedAt == nil {
		t.Fatalf("status: %v %s", err, r.Body)
	}
	del, err := own.CreateAccountDelegationWithResponse(ctx, w.account, d.ID, nil, client.DelegationCreate{Cidr: "198.51.100.0/24", DelegatedAccountID: w.other})
	if err != nil || del.JSON200 == nil || del.JSON200.Result.ParentPrefixID != d.ID {
		t.Fatalf("delegate: %v %s", err, del.Body)
	}
	if r, err := own.ListAccountDelegationsWithResponse(ctx, w.account, d.ID); err != nil || r.JSON200 == nil || len(r.JSON200.Result) != 1 {
		t.Errorf("delegations: %v %s", err, r.Body)
	}
	if r, err := own.DeleteAccountDelegationWithResponse(ctx, w.account, d.ID, del.JSON200.Result.ID, nil); err != nil || r.JSON200 == nil || r.JSON200.Result.ID != del.JSON200.Result.ID {
		t.Errorf("delete delegation: %v %s", err, r.Body)
	}

	form := func(part string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"loa_document\"" + part + "\r\n\r\n%PDF-1.4 letter\r\n--x--\r\n"
	}
	var ids []string
	for _, part := range []string{"", "; filename=\"letter.pdf\"\r\nContent-Type: application/pdf"} {
		r := w.do("admin", "POST", w.at("/loa_documents"), form(part), "Content-Type", "multipart/form-data; boundary=x")
		if r.status != http.StatusCreated {
			t.Fatalf("letter: %d %s", r.status, r.body)
		}
		var out client.LOADocumentEnvelope
		r.json(t, &out)
		ids = append(ids, *out.Result.ID)
	}
	if ids[0] != ids[1] {
		t.Errorf("the same letter was kept twice: %v", ids)
	}
	pdf := w.do("admin", "GET", w.at("/loa_documents/"+ids[0]+"/download"), "")
	if pdf.status != http.StatusOK || pdf.header.Get("Content-Type") != "application/pdf" || string(pdf.body) != "%PDF-1.4 letter" {
		t.Errorf("download: %d %s %q", pdf.status, pdf.header.Get("Content-Type"), pdf.body)
	}
	if r := w.do("foreign", "GET", accountPath+w.other+"/addressing/loa_documents/"+ids[0]+"/download", ""); r.status != http.StatusNotFound {
		t.Errorf("another account's letter is %d", r.status)
	}
	if r := w.do("admin", "POST", w.at("/prefixes"), `{"cidr":"203.0.113.0/24","asn":64500,"loa_document_id":"`+ids[0]+`"}`); r.status != http.StatusCreated || !strings.Contains(string(r.body), ids[0]) {
		t.Errorf("prefix with a letter: %d %s", r.status, r.body)
	}
}
