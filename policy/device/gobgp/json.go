package gobgp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// readJSON walks the tokens, so that every value has its place.
func readJSON(file string, data []byte) (*node, error) {
	r := jsonReader{d: json.NewDecoder(bytes.NewReader(data)), at: newLines(file, data), data: data}
	r.d.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, &syntaxError{r.at.pos(int(r.d.InputOffset())), err.Error()}
	}
	return n, nil
}

type jsonReader struct {
	d    *json.Decoder
	at   *lines
	data []byte
}

// pos is where the next token begins.
func (r *jsonReader) pos() device.Pos {
	i := int(r.d.InputOffset())
	for i < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[i]) >= 0 {
		i++
	}
	return r.at.pos(i)
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	n := &node{pos: r.pos()}
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case json.Delim:
		return n, r.inside(n, v, depth)
	case string:
		n.text = v
	case nil:
	default:
		n.text = fmt.Sprint(v)
	}
	return n, nil
}

func (r *jsonReader) inside(n *node, open json.Delim, depth int) error {
	n.shape = list
	if open == '{' {
		n.shape = mapping
	}
	for r.d.More() {
		var key string
		pos := r.pos()
		if n.shape == mapping {
			t, err := r.d.Token()
			if err != nil {
				return err
			}
			key, _ = t.(string)
		}
		k, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		if n.shape == mapping {
			k.key, k.pos = strings.ToLower(key), pos
		}
		n.kids = append(n.kids, k)
	}
	_, err := r.d.Token()
	return err
}
