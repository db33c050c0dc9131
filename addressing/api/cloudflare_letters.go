package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"unicode/utf8"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const maxLetter = 10 << 20

func (h *handlers) letters() (Letters, error) {
	if h.cfg.Letters == nil {
		return nil, unavailable("letters of authorisation are not kept here")
	}
	return h.cfg.Letters, nil
}

// letterExists checks a loa_document_id that a prefix names.
func (h *handlers) letterExists(ctx context.Context, id string) error {
	l, err := h.letters()
	if err != nil {
		return err
	}
	_, _, err = l.Get(ctx, callIn(ctx).accountID, id)
	if addressing.CodeOf(err) == addressing.CodeNotFound {
		return &addressing.Error{Code: addressing.CodeInvalid, Op: "create prefix", Field: "loa_document_id",
			Detail: "no such letter of authorisation in this account", Number: 1001, Message: "invalid_loa_form"}
	}
	return err
}

// CreateAccountLOADocument is L1. The Go SDK sends the document as a plain
// form field, browsers as a file: both are taken.
func (h *handlers) CreateAccountLOADocument(ctx context.Context, r CreateAccountLOADocumentRequestObject) (CreateAccountLOADocumentResponseObject, error) {
	store, err := h.letters()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	name, pdf, err := readLetter(r.Body)
	if err != nil {
		return nil, err
	}
	l, err := store.Put(ctx, Letter{AccountID: c.accountID, Filename: name, CreatedAt: c.at}, pdf)
	if err != nil {
		return nil, err
	}
	out := LOADocument{ID: &l.ID, AccountID: l.AccountID, Created: micro(l.CreatedAt), Filename: l.Filename, SizeBytes: l.Size}
	return CreateAccountLOADocument201JSONResponse{Body: LOADocumentEnvelope{Success: true, Errors: noMessages(), Messages: noMessages(), Result: out}}, nil
}

func badLetter(why string) error {
	return &addressing.Error{Code: addressing.CodeInvalid, Op: "upload letter", Field: "loa_document", Detail: why, Number: 1001, Message: "invalid_loa_form"}
}

// readLetter reads the one part there may be.
func readLetter(form *multipart.Reader) (name string, pdf []byte, err error) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, badLetter("the multipart body cannot be read")
		}
		if part.FormName() != "loa_document" || pdf != nil {
			return "", nil, badLetter("exactly one part named loa_document is taken")
		}
		if pdf, err = io.ReadAll(io.LimitReader(part, maxLetter+1)); err != nil {
			return "", nil, badLetter("the document cannot be read to its end")
		}
		name = part.FileName()
	}
	switch {
	case len(pdf) == 0:
		return "", nil, badLetter("the document is missing or empty")
	case len(pdf) > maxLetter:
		return "", nil, badLetter("the document is larger than 10 MB")
	case !bytes.HasPrefix(pdf, []byte("%PDF-")):
		return "", nil, badLetter("the document is not a PDF")
	case len(name) > 255 || !utf8.ValidString(name):
		return "", nil, badLetter("the file name is too long or not UTF-8")
	case name == "":
		name = "loa.pdf"
	}
	return name, pdf, nil
}

// DownloadAccountLOADocument is L2.
func (h *handlers) DownloadAccountLOADocument(ctx context.Context, r DownloadAccountLOADocumentRequestObject) (DownloadAccountLOADocumentResponseObject, error) {
	store, err := h.letters()
	if err != nil {
		return nil, err
	}
	_, pdf, err := store.Get(ctx, callIn(ctx).accountID, r.LoaDocumentID)
	if err != nil {
		return nil, err
	}
	return DownloadAccountLOADocument200ApplicationPdfResponse{Body: bytes.NewReader(pdf), ContentLength: int64(len(pdf))}, nil
}
