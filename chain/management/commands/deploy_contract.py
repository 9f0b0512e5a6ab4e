"""manage.py deploy_contract: puts the contract on the chain, unless it is there."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain.errors import ChainError, NotDeployed, explain
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import relayer_keys
from chain.localchain.errors import LocalChainError
from chain.localchain.identity import make_funder_key, published_keys
from chain.models import Cursor
from chain.node import client
from chain.node.deployment import deployment, known_deployment, read_deployment
from chain.operations.deploy import check_node, deploy, send_and_wait

_ENOUGH = 100 * 10**18
_TOP_UP = 1_000 * 10**18


class Command(BaseCommand):
    """Idempotent; binds the database to the contract, and writes var/chain/contract.json."""

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
            is_new = self._is_new()
            self._check_chain()
            if options["fund"]:
                self._fund()
            deployed, was_put = deploy()
        except ChainError as problem:
            raise CommandError(explain(problem)) from problem
        except LocalChainError as problem:
            raise CommandError(str(problem)) from problem
        word = "Deployed" if was_put else "In use"
        self.stdout.write(f"{word}: contract {deployed.address} on chain {deployed.chain_id}")
        if is_new:
            self.stdout.write(
                "This database is new, and that contract was in use before. What the chain says is read anew."
                " Accounts are in the former database alone: put back its backup, if there is one."
            )

    def _is_new(self) -> bool:
        """Return whether this machine has used a contract before, with another database."""
        return known_deployment() is None and read_deployment() is not None and not Cursor.objects.exists()

    def _check_chain(self) -> None:
        """No money is sent on a chain that is not the database's."""
        with suppress(NotDeployed):
            check_node(deployment())

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
