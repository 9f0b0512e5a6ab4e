"""The geth (Ethereum node) that the story is told to once; `python -m tests.geth.build` builds it."""

import sys
from pathlib import Path

from tests.go_program import GoProgram

GETH = GoProgram(
    name="geth",
    version="1.17.10",
    module=Path(__file__).parent,
    package="github.com/ethereum/go-ethereum/cmd/geth",
    variable="GETH_BINARY",
)

if __name__ == "__main__":
    sys.stdout.write(f"{GETH.build()}\n")
