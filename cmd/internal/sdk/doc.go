// Package sdk holds the walks of Cloudflare's official clients through a real
// daemon: gowalk (cloudflare-go v6, a module of its own) and nodewalk (npm
// cloudflare 7). Its tests run in make interop.
package sdk
