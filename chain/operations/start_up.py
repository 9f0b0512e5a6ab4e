"""What is looked at before a program of the portal starts: may it run here, and what was lost of it.

A refusal ends the program with one line. A notice only says what will not work, and the way out.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from celery.signals import beat_init, worker_init
from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection, connections

from chain.errors import ChainError, MissingKey, NotDeployed, WrongDeployment, explain
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import relayer_keys
from chain.keys.roles import missing_roles
from chain.models import ChainIdentity, Cursor, Sender
from chain.node import client, rpc
from chain.node.deployment import Deployment, deployment, first_deployment, known_deployment
from chain.operations.deploy import check_code, check_node

log = logging.getLogger(__name__)
Notice = Callable[[], Iterable[str]]
_notices: list[Notice] = []


def register_notice(notice: Notice) -> Notice:
    """Ask the function at a start. It returns lines that say what will not work and the way out."""
    _notices.append(notice)
    return notice


def read_notices() -> list[str]:
    """Return the lines of every notice. One that cannot be found out is logged."""
    lines: list[str] = []
    for notice in _notices:
        try:
            lines += notice()
        except Exception as problem:  # an outside party that is away is said by /readyz
            log.warning("%s was not found out: %s", notice.__name__, problem)
    return lines


def refusal() -> str:
    """Return why no program of this portal may run here, in one line; an empty string where it may.

    A node or a database that is away is no reason: the portal waits for both.
    """
    try:
        known = deployment()
        check_node(known)
        check_code(known)
    except WrongDeployment as problem:
        return problem.explanation
    except (ChainError, DatabaseError):
        return ""
    return ""


def end_if_refused(code: int = 1) -> None:
    """End this process with one line where it must not run here."""
    reason = refusal()
    connections.close_all()  # a web server forks after this, and its workers must share no connection
    rpc.forget_connections()
    if reason:
        sys.stderr.write(f"MedRec: {reason}\n")
        sys.exit(code)


def check_before_migrating() -> None:
    """Refuse tables of this release where the contract is another release's. Raises ChainError.

    The tables may be an older release's, or not be there at all.
    """
    known = _deployment_of_any_release()
    if known is not None:
        check_node(known)
        check_code(known)


def _deployment_of_any_release() -> Deployment | None:
    tables = connection.introspection.table_names()
    if ChainIdentity._meta.db_table in tables and (known := known_deployment()) is not None:
        return known
    if Cursor._meta.db_table not in tables:
        return None  # an empty database: nothing is registered anywhere
    try:
        return first_deployment()
    except NotDeployed:
        return None


@worker_init.connect  # type: ignore[untyped-decorator]
@beat_init.connect  # type: ignore[untyped-decorator]
def _end_worker(**_: Any) -> None:
    end_if_refused()


@register("chain", Tags.database)
def check_start(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Database, chain and contract belong together, and nothing that the portal needs was lost."""
    del app_configs, kwargs
    if not databases:
        return []
    try:
        check_before_migrating()
    except WrongDeployment as problem:
        return [Error(problem.explanation, id="chain.E011")]
    except (ChainError, DatabaseError) as problem:
        return [Warning(f"The contract was not checked: {problem}", id="chain.W001")]
    if ChainIdentity._meta.db_table not in connection.introspection.table_names():
        return []
    try:
        deployment()
    except NotDeployed:
        return []
    except ChainError as problem:
        return [Error(explain(problem), id="chain.E011")]
    return [Warning(line, id="chain.W002") for line in read_notices()]


@register_notice
def say_missing_roles() -> Iterable[str]:
    """Keys without their role."""
    return map(str, missing_roles())


@register_notice
def say_lost_relayer_key() -> Iterable[str]:
    """Say that the key that has sent until now is gone, and no other has sent yet."""
    try:
        own_addresses = [address_of_key(key) for key in relayer_keys()]
    except MissingKey as problem:
        return [f"{problem} Nothing is sent to the chain until then."]
    used = Sender.objects.exclude(transactions=None).values_list("address", flat=True).distinct()
    former = [address for address in used if address not in own_addresses]
    if not former or len(former) < len(used):
        return []
    return [
        f"The relayer key of {former[0]} is not here any more. Put it back (var/keys/relayer.key or "
        f"CHAIN_RELAYER_KEYS), or see that {own_addresses[0]} has money."
    ]


@register_notice
def say_older_chain() -> Iterable[str]:
    """Say that the chain ends before what was read of it."""
    seen = Cursor.objects.values_list("seen", flat=True).first() or 0
    head = client.head().number
    if head >= seen:
        return []
    return [
        f"The chain ends at block {head}, and block {seen} was read before: an older chain was put back."
        " What this portal sent is sent again by itself. What other portals wrote is not."
    ]
