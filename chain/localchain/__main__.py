"""`python -m chain.localchain --port 8645 --state var/chain`: run the local chain until told to stop."""

import argparse
import logging
import signal
import sys
from pathlib import Path

from chain.localchain.errors import LocalChainError
from chain.localchain.node import BLOCK_GAS_LIMIT
from chain.localchain.saving import WORK_SECONDS
from chain.localchain.supervisor import Supervisor


def main() -> int:
    """Exit code 0 after SIGTERM or Ctrl-C; 1, with one line that says why, when the chain cannot run."""
    parser = argparse.ArgumentParser(prog="python -m chain.localchain", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="loopback port that the node answers on")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the chain")
    parser.add_argument("--block-time", type=float, default=1.0, help="seconds between blocks, at the least")
    parser.add_argument("--confirmations", type=int, default=2, help="empty blocks mined after the last act")
    parser.add_argument(
        "--gas-limit", type=int, default=BLOCK_GAS_LIMIT, help="gas in a block; kept when the chain is made"
    )
    parser.add_argument(
        "--work", type=float, default=WORK_SECONDS, help="seconds of mining that make the state worth saving"
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        supervisor = Supervisor(
            state=options.state,
            port=options.port,
            block_time=options.block_time,
            confirmations=options.confirmations,
            gas_limit=options.gas_limit,
            work=options.work,
        )
        signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
        signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
        supervisor.run()
    except (LocalChainError, OSError) as error:
        sys.stderr.write(f"local chain: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
