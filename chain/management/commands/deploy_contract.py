"""manage.py deploy_contract: puts the contract on the chain, unless it is there."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import client
from chain.deploying import deploy, send_and_wait
from chain.errors import ChainError
from chain.keys import relayer_keys
from chain.localchain.errors import LocalChainError
from chain.localchain.identity import make_funder_key, published_keys
from chain.signer import address_of_key

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
            help="first give the relayer keys money from the account that has the local chain's",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Fund if asked, deploy if needed, say what is there."""
        del args
        try:
            if options["fund"]:
                self._fund()
            deployed, fresh = deploy()
        except (ChainError, LocalChainError) as problem:
            raise CommandError(str(problem)) from problem
        word = "Deployed" if fresh else "In use"
        self.stdout.write(f"{word}: contract {deployed.address} on chain {deployed.chain_id}")

    def _fund(self) -> None:
        funder = make_funder_key(settings.VAR / "chain")
        self._empty_published_accounts(address_of_key(funder))
        for address in map(address_of_key, relayer_keys()):
            if client.balance(address) < _ENOUGH:
                send_and_wait(funder, address, value=_TOP_UP)
                self.stdout.write(f"Funded: {address}")

    def _empty_published_accounts(self, funder: str) -> None:
        """Take their money from the accounts whose keys everybody knows, on a chain that began with them."""
        for key in published_keys():
            balance = client.balance(address_of_key(key))
            fee = 21_000 * (2 * client.head().base_fee + client.priority_fee())
            if balance > fee:
                send_and_wait(key, funder, value=balance - fee)
