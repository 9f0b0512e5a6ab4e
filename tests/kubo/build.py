"""The Kubo (IPFS node) that the storage tests run against; `python -m tests.kubo.build` builds it."""

import sys
from pathlib import Path

from tests.go_program import GoProgram

KUBO = GoProgram(
    name="Kubo",
    version="0.42.0",
    module=Path(__file__).parent,
    package="github.com/ipfs/kubo/cmd/ipfs",
    variable="KUBO_BINARY",
)

if __name__ == "__main__":
    sys.stdout.write(f"{KUBO.build()}\n")
