"""Measures how fast 20,000 events of grants come from a node into SQL, and how fast a resync rebuilds all.

Beside: the same logs fetched raw (JSON-RPC, nothing decoded), and reading them with the handlers at work.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from chain.localchain import Anvil

LIMITS: dict[str, float] = {}
FLOORS = {"sync_events_per_s": 5_000.0}
ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = 33_119
EVENTS = 20_000
BATCH = 200  # grants a transaction
PATIENTS = 4_000
_RANGE = 100  # blocks, as the indexer begins


def measure() -> dict[str, float]:
    """Events per second; in a process of its own, with a database and a node of its own."""
    with tempfile.TemporaryDirectory() as var:
        environment = os.environ | {"VAR": var, "DJANGO_SETTINGS_MODULE": "medrec.settings"}
        command = [sys.executable, "-m", "tests.bench.sync"]
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    figures: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def _main() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with Anvil(chain_id=CHAIN_ID, gas_limit=60_000_000) as anvil:
        settings.CHAIN_RPC_URL = anvil.url
        _fill()
        sys.stdout.write(json.dumps(_figures()) + "\n")


def _fill() -> None:
    """Deploy the contract, and put the grants on the chain, each signed by its patient."""
    from chain.contract.abi import encode_call
    from chain.keys import portal_keys
    from chain.keys.ecdsa import address_of_key
    from chain.node.deployment import deployment
    from chain.operations.deploy import deploy, send_and_wait
    from tests.chain_node import FUNDER

    for name in portal_keys.NAMES:
        portal_keys.make_key(name)
    send_and_wait(FUNDER, address_of_key(portal_keys.relayer_keys()[0]), value=1_000 * 10**18)
    deploy()
    calls = _calls()
    sent = 0
    while batch := list(islice(calls, BATCH)):
        send_and_wait(FUNDER, deployment().address, encode_call("relay", batch), gas=16_000_000)
        sent += len(batch)
    assert sent == EVENTS


def _calls() -> Iterator[bytes]:
    from chain.acts.messages import ZERO_ADDRESS, folder_scope, prepare_act, sign_act
    from chain.keys.ecdsa import address_of_key

    people = [(key, address_of_key(key)) for key in (secrets.token_bytes(32) for _ in range(PATIENTS))]
    for number in range(EVENTS):
        key, patient = people[number % PATIENTS]
        act = prepare_act(
            "GrantAccess",
            author=patient,
            grantee=people[(number * 7 + 1) % PATIENTS][1],
            via=ZERO_ADDRESS,
            scope=folder_scope(1 + number // PATIENTS),
            permissions=1,
            notBefore=0,
            expiry=2_000_000_000,
            epoch=0,
            envelopes=secrets.token_bytes(32),
            request=bytes(32),
            serial=1,
        )
        signed = sign_act(act, key)
        yield signed.act.calldata(signed.signature)


def _figures() -> dict[str, float]:
    """The node has the chain. The database has nothing."""
    from django.conf import settings

    from chain.indexer import resync, run
    from chain.models import Event
    from chain.node import client
    from records.models import Grant

    first, head = run.cursor_row().seen + 1, client.head()

    def fetch() -> None:
        for start in range(first, head.number + 1, _RANGE):
            client.raw_logs(start, min(start + _RANGE - 1, head.number))

    raw = _seconds(fetch)
    settings.CHAIN_CONFIRMATIONS = head.number  # nothing is deep enough yet
    stored = _seconds(run.run_indexer)
    assert Event.objects.pending().count() == EVENTS
    settings.CHAIN_CONFIRMATIONS = 1
    applied = _seconds(run.run_indexer)
    assert Grant.objects.count() == EVENTS
    again = _seconds(lambda: resync.resync(lambda *_: None))
    assert Grant.objects.count() == EVENTS
    return {
        "sync_events_per_s_raw": EVENTS / raw,
        "sync_events_per_s": EVENTS / stored,
        "sync_applied_events_per_s": EVENTS / (stored + applied),
        "resync_events_per_s": EVENTS / again,
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    _main()
