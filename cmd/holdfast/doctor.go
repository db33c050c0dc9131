package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// doctorCommand asks the daemon to look at itself. Its exit code is 0 where
// there is no risk; warnings alone are for people.
func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "look at everything the daemon depends on; exit code 1 if something is at risk",
		Action: action(func(c *cli.Context, conn *connection) error {
			var d client.DoctorReport
			a := conn.get(conn.GetDoctor(c.Context))
			if err := show(c, a, &d, func(w *tabwriter.Writer) error {
				drawDoctor(w, d)
				return nil
			}); err != nil {
				return err
			}
			if err := a.into(&d); err != nil {
				return err
			}
			if d.Verdict == client.DoctorReportVerdictRisk {
				return &strictcli.Error{Code: strictcli.ExitBroke, Err: errors.New("something is at risk")}
			}
			return nil
		}),
	}
}

func drawDoctor(w *tabwriter.Writer, d client.DoctorReport) {
	counts := map[client.DiagnosisVerdict]int{}
	for _, i := range d.Items {
		counts[i.Verdict]++
		row(w, i.Verdict, i.Check, i.Detail)
		if i.Next != nil && *i.Next != "" {
			row(w, " ", " ", "next: "+*i.Next)
		}
	}
	fmt.Fprintf(w, "%d ok, %d warning(s), %d risk(s)\n", counts[client.DiagnosisVerdictOk], counts[client.DiagnosisVerdictWarning], counts[client.DiagnosisVerdictRisk])
}
