"""`make run`: the whole portal on this machine. Prepares what is missing, starts every process, ends them
together.

With nothing set it brings its own database, chain, store and queue, all kept in var/. DATABASE_URL,
CHAIN_RPC_URL, CELERY_BROKER_URL and IPFS_API_URL move each of them elsewhere.
"""

import argparse
import http.client
import os
import signal
import socket
import sys
import time
from pathlib import Path

import django
from django.core.management import CommandError

from chain.localchain.tether import end_with_parent
from chain.support.disk_reserve import DiskReserve
from medrec import __version__
from medrec.ports import PortTaken, claim_port
from medrec.processes import Processes, ProgramKeepsDying, say

READY_SECONDS = 60.0
AS_ROOT = (
    "This runs as root, and so do all its programs: a fault in one of them has the whole machine. "
    "Stop it and start it as another user, who owns the folder and what is in it (sudo chown -R NAME .)."
)
# Celery says the same of its worker in six lines, at each start.
NO_SECOND_WARNING = "ignore:You're running the worker with superuser privileges"


class CannotStart(Exception):
    """The portal cannot start; the message is one line for the person at the terminal."""


class Stopped(BaseException):
    """Ctrl-C or SIGTERM came."""


def main() -> int:
    """Run until stopped. Exit code 0 after Ctrl-C or SIGTERM, 1 when the portal cannot start or go on."""
    parser = argparse.ArgumentParser(prog="python -m medrec.run", description=__doc__)
    parser.add_argument("--version", action="version", version=f"MedRec {__version__}")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the calling process ends")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    if options.end_with_parent:
        end_with_parent(signal.SIGTERM)
    os.umask(0o077)  # what it keeps is for nobody else on this machine
    processes = Processes()
    try:
        _run(processes)
    except Stopped:
        return 0
    except (CannotStart, ProgramKeepsDying, CommandError) as error:
        sys.stderr.write(f"MedRec: {error}\n")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop("web", "worker", "beat")
        processes.stop("chain")  # last: the others still finish what they do on it
    return 0


def _run(processes: Processes) -> None:
    port = _port("PORT", 8000)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")
    _check_user(Path(os.environ.get("VAR") or Path(__file__).parents[1] / "var"))
    own_chain = not os.environ.get("CHAIN_RPC_URL")
    chain_port = _port("LOCALCHAIN_PORT", 8645) if own_chain else 0
    django.setup()
    from django.conf import settings  # noqa: PLC0415  (readable only after the lines above)

    from medrec.prepare import (  # noqa: PLC0415
        check_contract,
        close_demo,
        notice_restore,
        prepare_contract,
        prepare_files_and_tables,
        seed_demo,
    )

    if own_chain:
        _start_chain(processes, chain_port, settings.VAR / "chain", settings.CHAIN_CONFIRMATIONS)
        _wait_for_chain(processes, chain_port)
    check_contract()
    prepare_files_and_tables()
    for line in [*notice_restore(), *close_demo()]:  # before anybody can sign in
        say("medrec", line)
    for line in prepare_contract(fund=own_chain):
        say("medrec", line)
    _start_web(processes, port)
    _wait_for_page(processes, port)
    _start_celery(processes)
    try:
        demo = seed_demo()
    except CommandError as error:  # a portal without its demo is still a portal
        demo = [str(error)]
    say("medrec", f"MedRec {__version__}")
    for line in [f"The portal is at {settings.PUBLIC_URL} (Ctrl-C stops it)", *demo]:
        say("medrec", line)
    reserve = DiskReserve(settings.VAR, settings.DISK_RESERVE_BYTES)
    while True:
        time.sleep(0.3)
        reserve.tend()
        processes.tend(patient=reserve.is_short())


def _stop(*_: object) -> None:
    raise Stopped


def _check_user(var: Path) -> None:
    """Say that this runs as root, or refuse a folder that another user has made. Raises CannotStart."""
    if os.geteuid() == 0:
        say("medrec", AS_ROOT)
    parts = [var, *(var / name for name in ("secret_key", "medrec.sqlite3", "keys", "chain", "store"))]
    foreign = [part for part in parts if part.exists() and not os.access(part, os.W_OK)]
    if foreign:
        raise CannotStart(
            f"{foreign[0]} belongs to another user. Give it to yourself (sudo chown -R $(id -un) {var}), "
            "or take another folder (VAR=/path/to/folder make run)"
        )


def _port(name: str, default: int) -> int:
    """The port that the environment variable says, or the default. Raises CannotStart."""
    try:
        return claim_port(name, default)
    except (PortTaken, ValueError) as error:
        raise CannotStart(str(error)) from error


def _start_chain(processes: Processes, port: int, state: Path, confirmations: int) -> None:
    block_time = os.environ.get("LOCALCHAIN_BLOCK_TIME", "1")
    command = [sys.executable, "-m", "chain.localchain", "--port", str(port), "--state", str(state)]
    processes.start("chain", *command, "--block-time", block_time, "--confirmations", str(confirmations))


def _wait_for_chain(processes: Processes, port: int) -> None:
    """Its port opens once the journal is replayed, however long that takes."""
    while processes.is_running("chain"):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotStart("the local chain did not start; its lines above say why")


def _start_web(processes: Processes, port: int) -> None:
    command = [sys.executable, "-m", "gunicorn", "medrec.wsgi", "--config", "python:medrec.server.config"]
    processes.start("web", *command, "--bind", f"127.0.0.1:{port}")


def _start_celery(processes: Processes) -> None:
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "medrec"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    pool = ["--pool", "threads", "--concurrency", "4", "--loglevel", "warning"]
    warnings = {
        "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), NO_SECOND_WARNING]))
    }
    processes.start("worker", *celery, "worker", *pool, *alone, environment=warnings)
    processes.start("beat", *celery, "beat", "--loglevel", "warning", "--pidfile", "")


def _wait_for_page(processes: Processes, port: int) -> None:
    """Until the first page is served; where it redirects (to https, say) is a proxy's matter."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        processes.tend()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
            continue
        finally:
            connection.close()
        if status >= 500:
            raise CannotStart(f"the first page answers {status}; the lines above say why")
        return
    raise CannotStart(f"port {port} did not answer within {READY_SECONDS:.0f} seconds")


if __name__ == "__main__":
    sys.exit(main())
