"""What chain itself asks: the database, the broker, and the chain's node."""

import os

from celery import current_app
from django.db import connection

from chain.contract.abi import code_matches
from chain.errors import NotDeployed, WrongDeployment
from chain.keys.roles import missing_roles
from chain.models import Cursor
from chain.node import client, identity
from chain.node.deployment import Deployment, deployment
from chain.restore import incarnation
from chain.restore.acceptance_log import collect_lost_acts
from chain.status.freshness import last_reading
from chain.status.health import LIMIT, Unhealthy, register_check
from chain.status.lag import measure_lag
from chain.status.pulses import act_is_late, quiet_tasks

LAG_SECONDS = 60.0  # reading looks every second; this long is an outage


def check_database() -> None:
    """It answers a question about tables of ours: so it is there, and migrated. A restore is noticed."""
    connection.ensure_connection()
    Cursor.objects.exists()
    incarnation.current()
    collect_lost_acts()


def check_broker() -> None:
    """A message could be left there: in its folder, or with a server that takes a connection."""
    folder = current_app.conf.broker_transport_options.get("data_folder_out")
    if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
        raise Unhealthy("its folder cannot be written to")
    with current_app.connection_for_write(connect_timeout=LIMIT) as broker:
        broker.connect()


def check_chain_id() -> None:
    """The node is of the contract's chain."""
    if identity.chain_id() != _deployment().chain_id:
        raise Unhealthy("the node is of another chain")


def check_contract() -> None:
    """This portal's contract is at its address."""
    if not (code := client.code(_deployment().address)):
        raise Unhealthy("there is no contract at its address")
    if not code_matches(code):
        raise Unhealthy("another contract is at its address")


def check_roles() -> None:
    """Raise Unhealthy where a key that is held here lacks its role in the contract."""
    _deployment()
    if missing := missing_roles():
        raise Unhealthy(f"the {missing[0].key} key has no role in the contract")


def _deployment() -> Deployment:
    try:
        return deployment()
    except NotDeployed:
        raise Unhealthy("no contract is deployed yet") from None
    except WrongDeployment:
        raise Unhealthy("the settings or contract.json name another contract than the database") from None


def check_lag() -> None:
    """Events are read as they come."""
    lag = measure_lag()
    if lag.checked_at is None:
        raise Unhealthy("the chain was not read yet")
    if lag.seconds > LAG_SECONDS:
        raise Unhealthy(f"reading the chain is {lag.seconds:.0f} seconds behind")


def check_reading() -> None:
    """Check that what others shared can be read: the chain is known, in this process and a moment ago.

    After a restore, lost acts that ended access are accepted again.
    """
    reading = last_reading()
    if not reading.is_recent:
        raise Unhealthy("the chain was not read to its end in the last seconds")
    if reading.misses_ends:
        raise Unhealthy(
            "the database was restored, and permissions ended since the backup are not ended again yet"
        )


def check_tasks() -> None:
    """A worker runs, and is asked to."""
    if quiet_tasks():
        raise Unhealthy("no task has run for a while")


def check_acts() -> None:
    """Check that what was accepted is sent."""
    if act_is_late():
        raise Unhealthy("something accepted has waited for more than a minute")


register_check("database", check_database)
register_check("broker", check_broker)
register_check("chain id", check_chain_id)
register_check("contract", check_contract)
register_check("roles", check_roles)
register_check("lag", check_lag)
register_check("reading", check_reading)
register_check("tasks", check_tasks)
register_check("acts", check_acts)
