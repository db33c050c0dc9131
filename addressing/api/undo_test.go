package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// undone says of every operation that changes something how it is taken back:
// "undo" by undoChange, an operation by its name, or after a dash why there is
// nothing to take back.
var undone = map[string]string{
	"createAccountPrefix": "undo", "editAccountPrefix": "undo", "deleteAccountPrefix": "undo", "createAccountBinding": "undo", "deleteAccountBinding": "undo",
	"createAccountBGPPrefix": "undo", "editAccountBGPPrefix": "undo", "deleteAccountBGPPrefix": "undo", "editAccountStatus": "undo",
	"createAccountDelegation": "undo", "deleteAccountDelegation": "undo",
	"createPrefix": "undo", "deletePrefix": "undo", "controlPrefix": "undo", "editRoute": "undo", "advertisePrefix": "undo", "withdrawPrefix": "undo",
	"blockPrefix": "undo", "unblockPrefix": "undo", "createBinding": "undo", "deleteBinding": "undo", "emergencyWithdraw": "undo", "restore": "undo", "undoChange": "undo",
	"drainNeighbor": "undo", "shutdownNeighbor": "undo", "drainSite": "undo",
	"undrainNeighbor": "drainNeighbor", "enableNeighbor": "shutdownNeighbor", "undrainSite": "drainSite",
	"undeletePrefix": "deletePrefix", "approvePrefix": "deletePrefix", "rollback": "rollback", "applyConfig": "applyConfig",
	"pinSnapshot": "unpinSnapshot", "unpinSnapshot": "pinSnapshot", "tripBreaker": "resetBreaker", "resetBreaker": "tripBreaker", "freeze": "unfreeze", "unfreeze": "freeze",
	"setKillSwitch": "setKillSwitch", "loosenBreakerLimits": "applyConfig", "approveApproval": "denyApproval", "releaseHeld": "undo",
	"pauseRollout": "promoteRollout", "promoteRollout": "abortRollout", "abortRollout": "- it puts back what the rollout took down, and the change is asked for again",
	"createAccount": "- it adds, and takes nothing away", "createService": "- it adds, and takes nothing away", "createToken": "revokeToken",
	"revokeToken":           "- a secret that was taken away stays away: createToken makes another",
	"rotateToken":           "retireToken",
	"retireToken":           "- a secret that was taken away stays away: rotateToken makes another",
	"dropHeld":              "- what was dropped never happened: it is asked for again",
	"denyApproval":          "- nothing happened: it is asked for again",
	"requestApproval":       "denyApproval",
	"approveCleanup":        "- each deletion that follows is undone like any other",
	"validateAccountPrefix": "- it looks", "createAccountLOADocument": "- it keeps a letter", "verifySnapshots": "- it looks, and heals copies",
	"reportSpeaker": "- it reports", "reportHealth": "- it reports", "reportLoads": "- it reports", "acknowledgeEdge": "- it reports",
}

// Every verb that changes something has a way back, or a reason why it needs none
// (invariant 14). A new operation without a line here fails.
func TestEveryVerbHasAnUndo(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]bool{}
	for _, path := range doc.Paths.Map() {
		for method, op := range path.Operations() {
			if method != "GET" {
				changes[op.OperationID] = true
			}
		}
	}
	if len(changes) < 50 {
		t.Fatalf("only %d operations change something", len(changes))
	}
	for op := range changes {
		how, said := undone[op]
		switch why, none := strings.CutPrefix(how, "- "); {
		case !said:
			t.Errorf("%s: nobody says how it is taken back", op)
		case none && len(why) < 8:
			t.Errorf("%s: %q is no reason", op, why)
		case !none && how != "undo" && !changes[how]:
			t.Errorf("%s is taken back by %s, which there is not", op, how)
		}
		// What takes reachability away is never left without a way back.
		if none := strings.HasPrefix(how, "- "); none && slices.ContainsFunc([]string{"withdraw", "delete", "drain", "shutdown", "block"}, func(s string) bool { return strings.HasPrefix(strings.ToLower(op), s) }) {
			t.Errorf("%s takes something away and has no way back", op)
		}
	}
	for op := range undone {
		if !changes[op] {
			t.Errorf("%s: there is no such operation", op)
		}
	}
}
