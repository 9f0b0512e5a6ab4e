"""Turns of the web server's threads: who runs, who waits, who is cut off."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from django.db import connections, transaction
from pytest_django import Settings

from chain.node import rpc
from chain.support.aside import set_step_aside, step_aside
from medrec.server import turns
from medrec.server.connection import last_forwarded
from medrec.server.turns import TurnPool
from medrec.server.worker import close_unused_connections, is_in_transaction
from records.previews.sandbox import decoder
from records.scanner import Scan
from records.storage.cid import Cid
from records.storage.node import IpfsNode

SECONDS = 60.0  # generous: the machine may be busy


@dataclass(eq=False)
class Client:
    """A client that a request waits for."""

    peer: str
    speed: float = 1.0
    answered: threading.Event = field(default_factory=threading.Event)
    is_cut: bool = False

    def pace(self) -> float:
        return self.speed

    def cut(self) -> None:
        self.is_cut = True
        self.answered.set()


def pool_of(count: int, *, most_waiting: int = 10, must_stay: Callable[[], bool] = lambda: False) -> TurnPool:
    return TurnPool(count, most_waiting, lambda: None, must_stay)


def wait(pool: TurnPool, client: Client) -> None:
    with pool.waiting(client):
        assert client.answered.wait(SECONDS)


def waits(pool: TurnPool, count: int) -> None:
    """Return once so many requests wait for their clients."""
    deadline = time.monotonic() + SECONDS
    while len(pool._waiting) != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def client() -> Iterator[Client]:
    one = Client("10.0.0.1")
    yield one
    one.answered.set()


def test_a_request_that_waits_for_its_client_lets_another_run(client: Client) -> None:
    pool = pool_of(1)
    slow = pool.submit(wait, pool, client)
    assert pool.submit(lambda: "answered").result(SECONDS) == "answered"
    assert not slow.done()
    client.answered.set()
    slow.result(SECONDS)


def test_no_more_run_than_there_are_turns(client: Client) -> None:
    pool, running, most = pool_of(2), [0], [0]
    lock, full = threading.Lock(), threading.Barrier(2, timeout=SECONDS)

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        full.wait()  # both turns are in use
        with lock:
            running[0] -= 1

    slow = [pool.submit(wait, pool, client) for _ in range(5)]
    busy = [pool.submit(work) for _ in range(10)]
    client.answered.set()
    for future in busy + slow:
        future.result(SECONDS)
    assert most == [2]


def test_turns_are_given_in_the_order_in_which_they_were_asked_for(client: Client) -> None:
    """So slow clients that come back again and again do not keep new requests from running."""
    pool, order, hold = pool_of(1), list[str](), threading.Event()

    def back() -> None:
        wait(pool, client)
        order.append("back")

    slow = pool.submit(back)
    waits(pool, 1)
    busy = pool.submit(hold.wait, SECONDS)
    first = pool.submit(order.append, "new")
    client.answered.set()
    deadline = time.monotonic() + SECONDS
    while len(pool._queue) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    last = pool.submit(order.append, "newer")
    hold.set()
    for future in (busy, first, slow, last):
        future.result(SECONDS)
    assert order == ["new", "back", "newer"]


def test_the_slowest_of_the_client_with_the_most_gives_way() -> None:
    pool = pool_of(1, most_waiting=4)
    crowd = [Client("10.0.0.66", speed=speed) for speed in (900.0, 500.0, 700.0, 800.0)]
    other = Client("10.0.0.1", speed=1.0)
    for number, client in enumerate([crowd[0], other, *crowd[1:]], start=1):
        pool.submit(wait, pool, client)
        waits(pool, min(number, 4))
    deadline = time.monotonic() + SECONDS
    while not crowd[1].is_cut:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [client.is_cut for client in (other, *crowd)] == [False, False, True, False, False]
    for client in (other, *crowd):
        client.answered.set()


def test_a_request_steps_aside_for_another_program_as_long_as_few_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_ASIDE", 1)
    pool, back = pool_of(2), threading.Event()

    def ask() -> None:
        set_step_aside(pool.aside)
        with step_aside():
            assert back.wait(SECONDS)

    first = pool.submit(ask)
    deadline = time.monotonic() + SECONDS
    while pool._aside != 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = pool.submit(ask)  # one is enough: this one keeps its turn
    assert pool.submit(lambda: "runs").result(SECONDS) == "runs"
    third = pool.submit(ask)
    late = pool.submit(lambda: "late")
    assert not late.done()
    back.set()
    for future in (first, second, third):
        future.result(SECONDS)
    assert late.result(SECONDS) == "late"


@pytest.mark.django_db(transaction=True)
def test_a_request_in_a_transaction_keeps_its_turn(client: Client) -> None:
    """Others may wait for its lock, and it would wait for their turn."""
    pool = pool_of(1, must_stay=is_in_transaction)

    def write() -> None:
        with transaction.atomic():
            wait(pool, client)
        connections.close_all()

    held = pool.submit(write)
    other = pool.submit(lambda: "later")
    with pytest.raises(TimeoutError):
        other.result(0.3)
    client.answered.set()
    held.result(SECONDS)
    assert other.result(SECONDS) == "later"


@pytest.mark.django_db(transaction=True)
def test_a_long_wait_closes_the_database_connection_but_no_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = list[str]()
    connection = connections["default"]
    connection.ensure_connection()
    monkeypatch.setattr(connection, "close", lambda: closed.append("closed"))
    with transaction.atomic():
        close_unused_connections()
    assert closed == []
    close_unused_connections()
    assert closed == ["closed"]


def test_a_thread_without_work_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "IDLE_SECONDS", 0.05)
    ended = threading.Event()
    pool = TurnPool(1, 1, ended.set, lambda: False)
    assert pool.submit(lambda: 1).result(SECONDS) == 1
    assert ended.wait(SECONDS)
    assert pool.submit(lambda: 2).result(SECONDS) == 2


def test_what_a_request_raises_is_its_own() -> None:
    pool = pool_of(1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(SECONDS)
    assert pool.submit(lambda: 3).result(SECONDS) == 3


def test_pictures_that_are_decoded_hold_nobody_up() -> None:
    pool, asked, go = pool_of(1), threading.Event(), threading.Event()

    def read_at(offset: int, length: int) -> list[bytes]:
        del offset
        asked.set()
        assert go.wait(SECONDS)
        return [bytes(length)]

    def look() -> None:
        set_step_aside(pool.aside)
        decoder.ask("describe", size=1000, read_at=read_at)

    looking = pool.submit(look)
    assert asked.wait(SECONDS)
    assert pool.submit(lambda: "answered").result(SECONDS) == "answered"
    go.set()
    assert looking.exception(SECONDS) is not None  # it is no picture


@contextmanager
def silent_server() -> Iterator[tuple[int, threading.Event]]:
    """A port that takes connections and answers nothing until the end; an event that somebody has come."""
    come, ended = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    come.set()
                    ended.wait(SECONDS)

        threading.Thread(target=take, daemon=True).start()
        try:
            yield listener.getsockname()[1], come
        finally:
            ended.set()


def ask_scanner(port: int) -> None:
    with Scan(f"tcp://127.0.0.1:{port}", SECONDS) as scan:
        scan.finding()


def ask_kubo(port: int) -> None:
    IpfsNode(f"http://127.0.0.1:{port}").block(Cid.from_digest(bytes(32)))


def ask_node(port: int) -> None:
    del port
    rpc.request("eth_chainId")


@pytest.mark.parametrize("ask", [ask_scanner, ask_kubo, ask_node])
def test_programs_that_hang_hold_nobody_up(ask: Callable[[int], None], settings: Settings) -> None:
    pool = pool_of(1)

    def wait_for_it(port: int) -> None:
        set_step_aside(pool.aside)
        ask(port)

    with silent_server() as (port, come):
        settings.CHAIN_RPC_URL = f"http://127.0.0.1:{port}"
        hung = pool.submit(wait_for_it, port)
        assert come.wait(SECONDS)
        assert pool.submit(lambda: "answered").result(SECONDS) == "answered"
        assert not hung.done()
    assert hung.exception(SECONDS) is not None


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n", "10.1.1.1"),
        (b"GET / HTTP/1.1\r\nx-forwarded-for:6.6.6.6, 2001:db8::7 \r\nHost: a\r\n\r\n", "2001:db8::7"),
        (b"GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 10.1.1.2\r\n\r\n", "10.1.1.2"),
    ],
)
def test_behind_a_proxy_a_client_is_who_the_proxy_names(header: bytes, address: str) -> None:
    assert last_forwarded(header) == address
