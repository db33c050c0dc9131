package guard

import (
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// settled is how long a session that is to be shut down may take to say what is
// left to say: its routes were withdrawn before, unless it was told not to wait.
const settled = time.Second

// administer shuts the neighbor down, or lets it in again. What ends is told so
// with the words of whoever did it (RFC 9003), and not to keep our routes
// (RFC 8538 section 3.1); it stays down until a Target lets it in.
func (n *neighbor) administer(shut bool, text string) {
	n.mu.Lock()
	if n.shut == shut {
		n.mu.Unlock()
		return
	}
	n.shut = shut
	up := n.up
	if shut {
		n.status.lastError = "shut down: " + text
		for c := range n.connections {
			if c != up {
				c.lost = true
				c.Close()
			}
		}
	} else {
		n.status.lastError = ""
	}
	n.show()
	hard := n.status.survival.Notification
	n.mu.Unlock()
	if !shut {
		n.log.Info("let in again")
		poke(n.again)
		return
	}
	n.log.Info("shut down", "text", text)
	if up == nil {
		return
	}
	n.guard.group.Go(func() {
		n.drainOut()
		note := wire.AdminShutdown(text)
		if hard {
			note = note.Hard()
		}
		n.mu.Lock()
		ends := n.shut && n.up == up
		if ends {
			up.why = "shut down: " + text
		}
		n.mu.Unlock()
		if ends {
			refuse(up, note)
		}
	})
}

// drainOut waits until the session has said everything, but not long.
func (n *neighbor) drainOut() {
	for end := time.Now().Add(settled); time.Now().Before(end) && n.ctx.Err() == nil; sleep(n.ctx, quiet) {
		n.table.mu.Lock()
		something, _, _ := n.table.pending()
		n.table.mu.Unlock()
		if !something {
			return
		}
	}
}
