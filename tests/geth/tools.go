//go:build tools

// Package tools pins the geth that the story is told to once: `go build` of its command takes the versions from
// this module.
package tools

import _ "github.com/ethereum/go-ethereum/cmd/geth"
