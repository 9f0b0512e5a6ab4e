//go:build tools

// Package tools pins the Kubo that the storage tests run against: `go build` of its command takes the versions
// from this module, as `go install` of Kubo itself is refused for the replace directives in its own go.mod.
package tools

import _ "github.com/ipfs/kubo/cmd/ipfs"
