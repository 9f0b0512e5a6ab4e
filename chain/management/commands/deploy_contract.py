"""manage.py deploy_contract: puts the contract on the chain, unless it is there."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import client
from chain.deploying import deploy, send_and_wait
from chain.errors import ChainError
from chain.keys import relayer_keys
from chain.signer import address_of_key

# The first account of the mnemonic that anvil and hardhat start with: known to everybody, worth something on
# a local chain only. A transfer, not anvil_setBalance: the local chain's journal keeps transactions.
_LOCAL_FUNDER = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
_ENOUGH = 100 * 10**18
_TOP_UP = 1_000 * 10**18


class Command(BaseCommand):
    """Idempotent; writes var/chain/contract.json."""

    help = "Deploy the contract through the CREATE2 factory, unless the chain has it."

    def add_arguments(self, parser: CommandParser) -> None:
        """--fund is for the local chain that `make run` starts."""
        parser.add_argument(
            "--fund",
            action="store_true",
            help="first give the relayer keys money from a local chain's test account",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Fund if asked, deploy if needed, say what is there."""
        del args
        try:
            if options["fund"]:
                self._fund()
            deployed, fresh = deploy()
        except ChainError as problem:
            raise CommandError(str(problem)) from problem
        word = "Deployed" if fresh else "In use"
        self.stdout.write(f"{word}: contract {deployed.address} on chain {deployed.chain_id}")

    def _fund(self) -> None:
        for address in map(address_of_key, relayer_keys()):
            if client.balance(address) < _ENOUGH:
                send_and_wait(_LOCAL_FUNDER, address, value=_TOP_UP)
                self.stdout.write(f"Funded: {address}")
