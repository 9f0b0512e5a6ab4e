"""Acts a second, from the full outbox to the projection: grants of as many patients, signed beforehand.

Relayer and indexer are processes of their own beside the node (a block a second), as they are in production;
the database is a SQLite file. The clock runs from the moment the relayer may start until the last grant
stands in the projection at confirmation depth 2. The baseline sends one act a transaction, as portals do.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.localchain import Anvil

ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = 33_121
ACTS, NAIVE_ACTS = 4_000, 300
RUNS = 5  # of which the middle one counts: a run ends with a block, so one differs from the next by a second
PATIENCE = 120.0  # seconds
PAUSE = 0.1  # seconds between a worker's looks, about what a broker takes to hand over a nudge

LIMITS = {"rpc_calls_per_act": 0.2}
FLOORS = {"acts_per_s": 1_000.0, "acts_per_s_30m": 450.0}
TWO_KEYS = ",".join(f"0x{number:064x}" for number in (0xB0B, 0xB0C))


def measure() -> dict[str, float]:
    """Acts per second: big and small blocks, two keys, one by one; calls to the node per act."""
    fast = sorted((_run(gas_limit=120_000_000, acts=ACTS) for _ in range(RUNS)), key=_acts_per_s)[RUNS // 2]
    small = _run(gas_limit=30_000_000, acts=ACTS)
    two_keys = _run(gas_limit=120_000_000, acts=ACTS, CHAIN_RELAYER_KEYS=TWO_KEYS)
    # No second act fits into so few bytes.
    naive = _run(gas_limit=120_000_000, acts=NAIVE_ACTS, CHAIN_BATCH_BYTES="700", CHAIN_BATCH_WAIT="0")
    return {
        "acts_per_s": fast["acts_per_s"],
        "acts_per_s_30m": small["acts_per_s"],
        "acts_per_s_two_keys": two_keys["acts_per_s"],
        "acts_per_s_naive": naive["acts_per_s"],
        "rpc_calls_per_act": fast["rpc_calls_per_act"],
        "submit_acts_per_s": fast["submit_acts_per_s"],
    }


def _run(*, gas_limit: int, acts: int, **settings: str) -> dict[str, float]:
    """One run with a database and a node of its own."""
    with (
        tempfile.TemporaryDirectory() as var,
        Anvil(chain_id=CHAIN_ID, options=("--block-time", "1"), gas_limit=gas_limit) as node,
    ):
        environment = os.environ | settings
        environment |= {"VAR": var, "DJANGO_SETTINGS_MODULE": "medrec.settings", "CHAIN_RPC_URL": node.url}
        environment |= {"CELERY_BROKER_URL": "memory://", "LOG_LEVEL": "ERROR"}
        environment.pop("DATABASE_URL", None)
        for command in (["migrate", "-v0"], ["make_keys"], ["deploy_contract", "--fund"]):
            arguments = [sys.executable, "manage.py", *command, "--skip-checks"]
            subprocess.run(arguments, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        with _role("queue", environment, str(acts)) as queue:
            queued = _answer(queue)
        with _role("index", environment) as indexer, _role("relay", environment) as relayer:
            _answer(indexer)
            _answer(relayer)
            with _role("watch", environment, str(acts)) as watcher:
                _answer(watcher)
                _say(indexer, "go")
                _say(relayer, "go")
                watched = _answer(watcher)
                calls = 0.0
                for worker in (relayer, indexer):
                    _say(worker, "enough")
                    calls += _answer(worker)["calls"]
    return queued | {
        "acts_per_s": acts / watched["seconds"],
        "rpc_calls_per_act": calls / acts,
    }


def _acts_per_s(figures: dict[str, float]) -> float:
    return figures["acts_per_s"]


@contextmanager
def _role(name: str, environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.bench.acts", name, *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _say(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()


def _answer(process: "subprocess.Popen[str]") -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"a process of the run ended early ({process.wait()})")
    answer: dict[str, float] = json.loads(line)
    return answer


# --- The processes of a run ---------------------------------------------------------------------------------


def _tell(**figures: float) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def _queue(count: int) -> None:
    """Sign grants, each by another patient, to another doctor; then accept them."""
    from django.db import transaction

    from chain.acts.messages import ZERO_ADDRESS, folder_scope, prepare_act, sign_act
    from chain.keys.ecdsa import address_of_key
    from chain.outbox.submit import submit_act

    signed = []
    for number in range(count):
        key = (number + 1).to_bytes(32)
        fields: dict[str, Any] = {
            "author": address_of_key(key),
            "grantee": address_of_key((count + number + 1).to_bytes(32)),
            "via": ZERO_ADDRESS,
            "scope": folder_scope(1),
            "permissions": 1,
            "notBefore": 0,
            "expiry": 4_000_000_000,
            "epoch": 0,
            "envelopes": os.urandom(32),
            "request": bytes(32),
            "serial": 1,
        }
        signed.append(sign_act(prepare_act("GrantAccess", **fields), key))
    began = time.perf_counter()
    for one in signed:  # as requests do: a transaction each
        with transaction.atomic():
            submit_act(one)
    _tell(submit_acts_per_s=count / (time.perf_counter() - began))


def _watch(count: int) -> None:
    """The seconds until the projection holds the grants."""
    from records.models import Grant

    if Grant.objects.exists():
        raise AssertionError("the projection is not empty")
    _tell()
    began = time.perf_counter()
    while (found := Grant.objects.count()) < count:
        if time.perf_counter() - began > PATIENCE:
            raise AssertionError(f"{found} of {count} grants after {PATIENCE:.0f} seconds")
        time.sleep(0.05)
    _tell(seconds=time.perf_counter() - began)


def _work(name: str) -> None:
    """Do a worker's task again and again once told to; on the next word say how many calls that took."""
    import select

    from chain.indexer.run import run_indexer
    from chain.node import rpc
    from chain.relayer.sender import run_relayer

    task, calls = {"relay": run_relayer, "index": run_indexer}[name], 0
    ask, ask_many = rpc.request, rpc.batch

    def counted(method: str, *params: Any) -> Any:
        nonlocal calls
        calls += 1
        return ask(method, *params)

    def all_counted(asked: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        nonlocal calls
        calls += len(asked)
        return ask_many(asked)

    vars(rpc).update(request=counted, batch=all_counted)
    _tell()
    sys.stdin.readline()
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        task()
    _tell(calls=calls)


def _main(name: str, *arguments: str) -> None:
    import django

    django.setup()
    if name == "queue":
        _queue(int(arguments[0]))
    elif name == "watch":
        _watch(int(arguments[0]))
    else:
        _work(name)


if __name__ == "__main__":
    _main(*sys.argv[1:])
