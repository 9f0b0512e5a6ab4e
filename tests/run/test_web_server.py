"""The web server by itself, with a small application: who waits for whom, and what is framed how."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pytest

from chain.localchain.node import free_port
from tests.run.portal import ROOT

THREADS = 2
ECHO = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
STREAM_PIECES = 1000  # 62 MiB: more than sockets hold


@dataclass
class Server:
    """A running server of one process with two threads."""

    port: int
    process: "subprocess.Popen[bytes]"

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection on which this was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), 60)
        connection.sendall(data)
        return connection

    def get(self, path: str) -> bytes:
        """The body of an answer to a new client."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as client:
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.status == 200
            return answer.read()

    def events(self) -> list[str]:
        """Return the events in the application."""
        return self.get("/events").decode().splitlines()


@contextmanager
def serving(*flags: str, **environment: str) -> Iterator[Server]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "tests.run.small_app",
        "--config",
        "python:medrec.server.config",
    ]
    sizes = ["--workers", "1", "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *sizes, *flags], cwd=ROOT, env=os.environ | environment)
    server = Server(port, process)
    try:
        wait_for(lambda: answers(server))
        yield server
    finally:
        process.terminate()
        process.wait(30)


def answers(server: Server) -> bool:
    try:
        return server.get("/healthz") == b"alive"
    except OSError:
        return False


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def read_all(connection: socket.socket) -> bytes:
    """Return the bytes that come until the server closes."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    with serving(IMPATIENT="1") as running:
        yield running


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    with serving("--worker-connections", "20", NARROW="1") as running:
        yield running


SAYING_LITTLE = {
    "nothing": b"",
    "half a header": b"GET /echo HTTP/1.1\r\nHost: a\r\n",
    "half a small body": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
    "half a large body": b"PUT /receive HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
    + bytes(100_000),
    "half a chunk": b"PUT /receive HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "no body yet": b"PUT /receive HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "no reading": b"GET /stream?%d HTTP/1.1\r\nHost: a\r\n\r\n" % STREAM_PIECES,
}


@pytest.mark.parametrize("sent", SAYING_LITTLE.values(), ids=SAYING_LITTLE)
def test_clients_that_say_little_keep_nobody_waiting(server: Server, sent: bytes) -> None:
    with ExitStack() as held:
        for _ in range(10 * THREADS):
            held.enter_context(server.connect(sent))
        for _ in range(3):
            assert server.get("/healthz") == b"alive"
            assert server.get("/events") is not None


def test_a_small_request_takes_no_thread_before_it_is_whole(server: Server) -> None:
    before = int(server.get("/threads"))
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(server.connect(SAYING_LITTLE["half a small body"]))
        assert int(server.get("/threads")) <= max(before, 1 + THREADS + 1)


def test_what_comes_by_the_byte_is_one_request(server: Server) -> None:
    with server.connect() as client:
        for byte in ECHO % (5, b"hello"):
            client.sendall(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).endswith(b"\r\n\r\nhello")


def test_requests_in_one_packet_are_answered_in_their_order(server: Server) -> None:
    last = b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nthird"
    with server.connect(ECHO % (5, b"first") + ECHO % (6, b"second") + last) as client:
        bodies = read_all(client).split(b"\r\n\r\n")[1:]
    assert [body.partition(b"HTTP/")[0] for body in bodies] == [b"first", b"second", b"third"]


def test_a_request_that_is_cut_in_two_anywhere_is_framed_alike(server: Server) -> None:
    chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    chunked += b"3\r\nabc\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n"  # a chunk that looks like the last one
    for place in range(1, len(chunked), 7):
        with server.connect(chunked[:place]) as client:
            client.sendall(chunked[place:])
            assert read_all(client).endswith(b"\r\n\r\nabc0\r\n\r\n")


def test_a_request_follows_chunks_with_trailers_in_one_packet(server: Server) -> None:
    chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    chunked += b"3\r\nabc\r\n0;last\r\nX-Sum: 1\r\n\r\n"
    with server.connect(chunked + b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nok") as client:
        answers = read_all(client)
    assert answers.count(b" 200 OK") == 2
    assert answers.endswith(b"\r\n\r\nok")


def test_a_client_that_asks_before_it_sends_is_told_to(server: Server) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n"
    with server.connect(head + b"Content-Length: 2\r\n\r\n") as client:
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"ok")
        assert read_all(client).endswith(b"\r\n\r\nok")


def test_a_connection_is_used_again(server: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as client:
        sockets = set()
        for size in (0, 10, 70_000, 3_000_000, 5):
            client.request("POST", "/receive", bytes(size))
            assert int(client.getresponse().read()) == size
            sockets.add(client.sock)
    assert len(sockets) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_probe_ends_its_connection_and_what_follows_it(server: Server, method: str) -> None:
    with server.connect(f"{method} /healthz HTTP/1.1\r\n\r\n".encode() + ECHO % (2, b"no")) as client:
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in head
    assert b"Content-Length: 5" in head
    assert body == (b"alive" if method == "GET" else b"")


def test_lines_without_an_end_are_refused(server: Server) -> None:
    with server.connect(b"GET /echo HTTP/1.1\r\n" + b"X-Long: %s\r\n" % (b"x" * 1000) * 70) as client:
        assert read_all(client).startswith(b"HTTP/1.1 431 ")


def test_clients_that_do_not_close_keep_nobody_waiting(server: Server) -> None:
    """gthread closes in its main loop, where each of these takes two seconds."""
    with ExitStack() as held:
        for _ in range(30):
            client = held.enter_context(server.connect(b"POST /echo HTTP/1.0\r\nContent-Length: 0\r\n\r\n"))
            assert client.recv(1000)
        began = time.monotonic()
        assert server.get("/healthz") == b"alive"
        assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "sent",
    [ECHO % (1000, b"abc"), b"GET /echo HTTP/1.1\r\nHost: a\r\n", ECHO[:10]],
    ids=["half a body", "half a header", "half a line"],
)
def test_a_request_that_does_not_come_to_its_end_is_ended(impatient: Server, sent: bytes) -> None:
    with impatient.connect(sent) as client:
        assert read_all(client).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_let_go(impatient: Server) -> None:
    with impatient.connect() as client:
        assert read_all(client) == b""


def broken(server: Server) -> int:
    """Return how many uploads have ended before their end."""
    return server.events().count("broken: ConnectionResetError")


def test_an_upload_that_stops_is_ended(impatient: Server) -> None:
    before = broken(impatient)
    with impatient.connect(SAYING_LITTLE["half a large body"]):
        wait_for(lambda: broken(impatient) == before + 1)


def test_a_trickle_is_ended_however_often_a_byte_comes(impatient: Server) -> None:
    with impatient.connect(SAYING_LITTLE["half a large body"]) as client:

        def is_ended() -> bool:
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return False

        wait_for(is_ended)


def test_a_download_that_nobody_takes_is_ended(impatient: Server) -> None:
    def ended() -> bool:
        events = impatient.events()
        return events.count("sending") == events.count("sent") > 0

    with impatient.connect(SAYING_LITTLE["no reading"]):
        wait_for(ended)


def test_the_slowest_give_way_when_too_many_wait(narrow: Server) -> None:
    with ExitStack() as held:
        quick = held.enter_context(narrow.connect(SAYING_LITTLE["half a large body"]))
        wait_for(lambda: "receiving" in narrow.events())
        for _ in range(12):
            held.enter_context(narrow.connect(SAYING_LITTLE["half a large body"][:-30_000]))
            quick.sendall(bytes(1000))  # it is the one that goes on
        wait_for(lambda: broken(narrow) == 9)
        quick.sendall(bytes(100_000 - 12_000))
        assert quick.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_the_oldest_that_says_nothing_gives_way_when_there_are_too_many(narrow: Server) -> None:
    with ExitStack() as held:
        first = held.enter_context(narrow.connect())
        for _ in range(40):
            held.enter_context(narrow.connect())
        assert narrow.get("/echo") == b""
        assert narrow.get("/healthz") == b"alive"
        assert read_all(first) == b""


def test_more_requests_than_can_queue_are_told_to_come_again(narrow: Server) -> None:
    with ExitStack() as held:
        request = b"GET /work HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        clients = [held.enter_context(narrow.connect(request)) for _ in range(19)]
        assert narrow.get("/healthz") == b"alive"
        answers = [read_all(client) for client in clients]
    busy = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
    assert all(b"Retry-After: 5\r\n" in answer for answer in busy)
    assert 0 < len(busy) <= 4
    assert sum(answer.endswith(b"done") for answer in answers) == len(answers) - len(busy)


def test_it_stops_while_clients_say_nothing() -> None:
    with serving() as running, running.connect(), running.connect(SAYING_LITTLE["half a header"]):
        running.process.terminate()
        assert running.process.wait(30) == 0
