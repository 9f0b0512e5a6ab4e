"""The connection to a Kubo node's RPC API: sessions, attempts, time limits, typed errors.

Kubo is asked through ipfshttpclient, whose `connect()` refuses today's versions. `Client` works with them.
"""

import ipaddress
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from chain.support.aside import step_aside
from chain.support.retry_after import Pauses
from records.storage.cid import Cid
from records.storage.errors import ContentNotFound, StorageError, StoreFull, StoreUnavailable
from records.storage.tree import LEAF_SIZE, MAX_LINKS

# Read when it is imported: its patch of requests, for Unix sockets, uses what urllib3 is about to remove.
os.environ.setdefault("PY_IPFS_HTTP_CLIENT_PATCH_REQUESTS", "no")

import ipfshttpclient
from ipfshttpclient import exceptions

# Every parameter that decides the CID, whatever the node's own settings say.
ADD_OPTIONS = {
    "cid-version": "1",
    "hash": "sha2-256",
    "raw-leaves": "true",
    "chunker": f"size-{LEAF_SIZE}",
    "max-file-links": str(MAX_LINKS),
    "trickle": "false",
    "inline": "false",
    "wrap-with-directory": "false",
    "preserve-mode": "false",
    "preserve-mtime": "false",
    "nocopy": "false",
    "only-hash": "false",
    "pin": "true",
    "progress": "false",
}
CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_TIMEOUT = 10.0  # seconds until the answer to the cheapest question: who needs longer hangs
READ_TIMEOUT = 10.0  # seconds without a byte: the node reads what it has itself, and asks no peer
WRITE_TIMEOUT = 600.0  # seconds until the answer to a pin, an erasing: the node does all of it first
ADD_TIMEOUT = 10.0  # seconds from the last byte of a file to the answer; the node has the rest done by then
ADD_RATE = 8 * 1024 * 1024  # bytes for which it has a second more: it walks the tree that it pins
RETRY_PAUSES = (0.1, 0.5)  # seconds before the second and the third attempt


class IpfsNode:
    """The node with this API address: `http://host:5001` (https, user and password too) or a multiaddr.

    Raises ValueError for an address that is none. Threads may share it. Its methods raise StoreUnavailable.
    They read what the node itself has, so that no reader waits for the node's peers (see `PeerNode`).
    """

    def __init__(self, url: str) -> None:
        self._address, self._auth = _parse_address(url)
        self._url, self._pauses = address_of(url), Pauses()
        self._own = threading.local()
        self._client()  # refuses an address that cannot be used; nothing is sent yet

    def add(self, pieces: Iterable[bytes]) -> str:
        """Add and pin a file. Gives the CID that the node made. Raises StoreFull. One attempt.

        A node that hangs is noticed before a byte is sent, and within seconds after that. The answer to the
        first question also sets how long each write to the connection may take.
        """
        self._check_alive()
        patience = _Patience()
        with self._errors():
            made: str = self._client().add_bytes(
                patience.count(pieces), opts=dict(ADD_OPTIONS), timeout=(CONNECT_TIMEOUT, patience)
            )
            return made

    def _check_alive(self) -> None:
        with self._errors(), step_aside():
            self._client().version(timeout=_seconds(CONNECT_TIMEOUT))

    def block(self, cid: Cid) -> bytes:
        """A block, unchecked. Raises ContentNotFound."""
        block: bytes = self._ask(
            lambda client, limit: client.block.get(str(cid), offline=True, timeout=limit)
        )
        return block

    def block_size(self, cid: Cid) -> int:
        """Bytes of a block. Raises ContentNotFound."""
        stat = self._ask(lambda client, limit: client.block.stat(str(cid), offline=True, timeout=limit))
        return int(stat["Size"])

    def stream(self, cid: Cid, offset: int) -> Generator[bytes]:
        """A file from an offset on, unchecked, in pieces of any size. Raises ContentNotFound. One attempt."""
        with (
            self._errors(),
            self._client().cat(
                str(cid),
                opts={"offset": str(offset)},
                offline=True,
                stream=True,
                timeout=_seconds(READ_TIMEOUT),
            ) as pieces,
        ):
            yield from pieces

    def pin(self, cid: Cid) -> None:
        """Pin a tree whose blocks the node has. Raises ContentNotFound."""
        self._ask(lambda client, _: client.pin.add(str(cid), offline=True, timeout=_seconds(WRITE_TIMEOUT)))

    def pins(self) -> list[str]:
        """The roots of all pinned trees, as the node writes them."""
        answer = self._ask(lambda client, _: client.pin.ls(type="recursive", timeout=_seconds(WRITE_TIMEOUT)))
        return list(answer["Keys"])

    def is_pinned(self, cid: Cid) -> bool:
        """Return whether a tree is pinned by its root."""
        try:
            self._ask(lambda client, limit: client.pin.ls(str(cid), type="recursive", timeout=limit))
        except StorageError as error:
            if "not pinned" in str(error):
                return False
            raise
        return True

    def unpin(self, cid: Cid) -> None:
        """Unpin a tree. Nothing happens when it is not pinned. Its blocks stay."""
        try:
            self._ask(lambda client, limit: client.pin.rm(str(cid), timeout=limit))
        except StorageError as error:
            if "not pinned" not in str(error):
                raise

    def erase(self, cids: list[Cid]) -> None:
        """Remove blocks, but those that something pins. Those that are not there are passed over.

        The node looks through all its pins first, and refuses if one of them is damaged.
        """
        names = [str(cid) for cid in cids]
        options = {"force": "true"}  # no error for a block that is not there
        limit = _seconds(WRITE_TIMEOUT)
        answers = self._ask(  # ipfshttpclient has no method for it
            lambda client, _: client._client.request(
                "/block/rm", names, opts=options, decoder="json", timeout=limit
            )
        )
        for answer in answers:
            problem = answer.get("Error", "")
            if problem and not problem.startswith("pinned"):
                raise StoreUnavailable(problem)

    def version(self) -> str:
        """The node's version. The cheapest thing to ask."""
        limit = _seconds(ANSWER_TIMEOUT)
        return str(self._ask(lambda client, _: client.version(timeout=limit))["Version"])

    def _ask(self, question: Callable[[Any, tuple[float, float]], Any]) -> Any:
        """Ask something that may be asked again, three times if the connection fails."""
        for pause in RETRY_PAUSES:
            try:
                return self._ask_once(question)
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, exceptions.ConnectionError | exceptions.ProtocolError):
                    raise
                time.sleep(pause)
        return self._ask_once(question)

    def _ask_once(self, question: Callable[[Any, tuple[float, float]], Any]) -> Any:
        with self._errors(), step_aside():
            return question(self._client(), _seconds(READ_TIMEOUT))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn failures into the store's errors. Leave a node alone that asked for it (`Retry-After`)."""
        if seconds := self._pauses.seconds_left(self._url):
            raise StoreUnavailable(f"the node asks to be left alone for {seconds:.0f} more seconds")
        with _node_errors():
            try:
                yield
            except exceptions.StatusError as error:
                if error.original is not None:
                    self._pauses.note(self._url, error.original)
                raise

    def _client(self) -> Any:
        """This thread's client. A process forked off makes its own, since a socket has one user."""
        if getattr(self._own, "pid", None) != os.getpid():
            try:
                self._own.client = ipfshttpclient.Client(
                    self._address, session=True, auth=self._auth, chunk_size=LEAF_SIZE
                )
            except exceptions.AddressError as error:
                raise ValueError(f"not the address of an IPFS node: {self._address}") from error
            self._own.pid = os.getpid()
        return self._own.client


class _Patience:
    """Seconds until the answer to an add, as many as the bytes that were sent until then allow.

    requests passes it on as it is, and the socket reads its value when it begins to wait for the answer.
    """

    def __init__(self) -> None:
        self._sent = 0

    def count(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces as they are."""
        for piece in pieces:
            self._sent += len(piece)
            yield piece

    def __index__(self) -> int:
        return max(1, round(ADD_TIMEOUT + self._sent / ADD_RATE))

    def __float__(self) -> float:
        return float(int(self))

    def __lt__(self, other: float) -> bool:
        return float(self) < other

    def __le__(self, other: float) -> bool:
        return float(self) <= other


def _seconds(limit: float) -> tuple[float, float]:
    return (CONNECT_TIMEOUT, limit)


def _parse_address(url: str) -> tuple[str, tuple[str, str] | None]:
    """A URL as ipfshttpclient wants it: a multiaddr; user and password if there are. Raises ValueError."""
    if url.startswith("/"):
        return url, None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("an IPFS node's address looks like http://host:5001 or /ip4/127.0.0.1/tcp/5001/http")
    try:
        kind = f"ip{ipaddress.ip_address(parts.hostname).version}"
    except ValueError:
        kind = "dns"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    auth = (parts.username, parts.password or "") if parts.username else None
    return f"/{kind}/{parts.hostname}/tcp/{port}/{parts.scheme}", auth


def address_of(url: str) -> str:
    """A node's address to show and to keep: as `http://host:5001`, without user and password. Raises
    ValueError."""
    multiaddr, _ = _parse_address(url)
    parts = multiaddr.strip("/").split("/")
    if len(parts) == 5 and parts[2] == "tcp":
        host = f"[{parts[1]}]" if parts[0] == "ip6" else parts[1]
        return f"{parts[4]}://{host}:{parts[3]}"
    return multiaddr


@contextmanager
def _node_errors() -> Iterator[None]:
    """Turn what ipfshttpclient (in the middle of a stream: requests) raises into the store's errors."""
    try:
        yield
    except exceptions.ErrorResponse as error:
        message = str(error)
        if "not found locally" in message or "could not find" in message:
            raise ContentNotFound(message) from error
        if "no space left" in message or "quota exceeded" in message:
            raise StoreFull(message) from error
        raise StoreUnavailable(message) from error
    except (exceptions.Error, OSError) as error:
        raise StoreUnavailable(str(error)) from error
