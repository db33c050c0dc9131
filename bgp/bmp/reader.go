package bmp

import (
	"errors"
	"fmt"
	"io"
)

// Reader reads messages from one connection into a buffer of its own, which
// grows to the longest message seen and never beyond MaxLen. Give it a
// bufio.Reader.
type Reader struct {
	src io.Reader
	buf []byte
}

// NewReader reads messages from src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, headerLen)} }

// Next gives the next message, valid until the next call. The error is io.EOF for
// an end between messages, ErrMessage for a message that is spoilt while the next
// can be read, and anything else ends the connection.
func (r *Reader) Next() (Message, error) {
	if _, err := io.ReadFull(r.src, r.buf[:headerLen]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: the connection ends within a header", ErrFraming)
		}
		return Message{}, err
	}
	length, _, err := checkHeader(r.buf[:headerLen])
	if err != nil {
		return Message{}, err
	}
	if length > len(r.buf) {
		r.buf = append(r.buf, make([]byte, length-len(r.buf))...)
	}
	if _, err := io.ReadFull(r.src, r.buf[headerLen:length]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: the connection ends within a message", ErrFraming)
		}
		return Message{}, err
	}
	return Parse(r.buf[:length])
}
