package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

//go:embed template.yaml
var templateYAML string

var starter = template.Must(template.New("holdfast.yaml").Parse(templateYAML))

// Starter is the commented configuration that holdfastd init writes. It passes
// Parse as it is: no neighbor yet, every listener on loopback.
func Starter(environment string, asn uint32) ([]byte, error) {
	var b bytes.Buffer
	err := starter.Execute(&b, struct {
		Environment string
		ASN         uint32
	}{environment, asn})
	if err != nil {
		return nil, fmt.Errorf("starter configuration: %w", err)
	}
	return b.Bytes(), nil
}
