module medrec/tests/geth

go 1.26.4

require github.com/ethereum/go-ethereum v1.17.10
