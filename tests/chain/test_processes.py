"""Several processes with the same relayer keys: still one nonce sequence a key, each act once."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from chain.localchain import Anvil
from tests.run.portal import portal_environment

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 3
ACTS_EACH = 12

# Each process accepts acts of its own and sends whatever waits, until all are confirmed.
WORKER = """
import secrets, sys, time
import django
django.setup()
from django.db import transaction
from chain.acts.messages import prepare_act, sign_act
from chain.indexer.run import run_indexer
from chain.models import Act
from chain.outbox.submit import submit_act
from chain.relayer.sender import run_relayer
from chain.keys.ecdsa import address_of_key
mine = []
for number in range(int(sys.argv[1])):
    key = secrets.token_bytes(32)
    act = prepare_act("NameFolder", author=address_of_key(key), folder=1, name=bytes(32), serial=1)
    with transaction.atomic():
        mine.append(submit_act(sign_act(act, key)).pk)
    run_relayer()
deadline = time.monotonic() + 60
while Act.objects.waiting().filter(pk__in=mine).exists():
    assert time.monotonic() < deadline, "not confirmed in time"
    run_relayer()
    run_indexer()
    time.sleep(0.05)
"""


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("keys", [1, 2])
def test_three_processes_make_one_nonce_sequence_a_key(tmp_path: Path, keys: int) -> None:
    with Anvil(chain_id=77_003, options=("--block-time", "1")) as node:
        environment = portal_environment(tmp_path) | {
            "DJANGO_SETTINGS_MODULE": "medrec.settings",
            "CHAIN_RPC_URL": node.url,
            "CELERY_BROKER_URL": "memory://",
            "CHAIN_BATCH_WAIT": "0.05",
            "CHAIN_RELAYER_KEYS": ",".join("0x" + secrets.token_hex(32) for _ in range(keys)),
        }
        for command in (["migrate", "-v0"], ["make_keys"], ["deploy_contract", "--fund"]):
            subprocess.run(
                [sys.executable, "manage.py", *command, "--skip-checks"],
                cwd=ROOT,
                env=environment,
                check=True,
            )
        workers = [
            subprocess.Popen([sys.executable, "-c", WORKER, str(ACTS_EACH)], cwd=ROOT, env=environment)
            for _ in range(PROCESSES)
        ]
        assert [worker.wait(timeout=120) for worker in workers] == [0] * PROCESSES
        counted = subprocess.run(
            [sys.executable, "-c", COUNT],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
    confirmed, events, senders, nonces, sent_alone = counted.stdout.split()
    assert int(confirmed) == int(events) == PROCESSES * ACTS_EACH
    assert int(senders) == keys
    assert nonces == "unbroken"
    assert sent_alone == "once"


COUNT = """
import django
django.setup()
from chain.models import Act, Event, Sender, Transaction
sent = Transaction.objects
used = [list(sent.filter(sender=one).values_list("nonce", flat=True)) for one in Sender.objects.all()]
unbroken = all(nonces == list(range(min(nonces), min(nonces) + len(nonces))) for nonces in used)
print(
    Act.objects.confirmed().count(),
    Event.objects.values("act_digest").distinct().count(),
    len(used),
    "unbroken" if unbroken else "broken",
    "once" if sum(t.act_count for t in Transaction.objects.all()) == Act.objects.count() else "repeated",
)
"""
