"""Browsers of administrators on the operations page, and what they find there."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from chain.models import Transaction
from chain.models.sending import TransactionState
from chain.node import client as node
from tests.chain_node import ChainNode, fresh_person

PAGE = "/admin/chain/operations/"


def signed_in(*permissions: str, staff: bool = True, root: bool = False) -> Client:
    """A browser of a new user with these permissions of the chain's."""
    user = User.objects.create(
        email=f"{fresh_person().address.lower()}@example.org", is_staff=staff, is_superuser=root
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    client.force_login(user)
    return client


def said(client: Client) -> str:
    """Return the page's text without the markup's line breaks."""
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def chain_head() -> int:
    """The newest block's number."""
    return node.head().number


def stuck_transaction(chain: ChainNode) -> Transaction:
    """One that is sent and not mined. Blocks are held."""
    chain.new_record(fresh_person())
    chain.relay()
    return Transaction.objects.get(state=TransactionState.SENDING)


def logged() -> list[tuple[str, str]]:
    """The admin's log: whose, what."""
    return [(entry.object_repr, entry.change_message) for entry in LogEntry.objects.order_by("pk")]
