"""The chain's public port: closed until the journal is replayed; nobody sees a chain gone back in time."""

import asyncio
import contextlib
import socket
import threading

from chain.localchain.errors import LocalChainError

_PIECE = 64 * 1024


class Gate:
    """Takes a loopback port at once (a port in use is said at once), listens once opened, passes bytes on.

    The node itself listens on a port of its own: anvil cannot begin to listen later than it starts.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalChainError(f"port {port} is in use: set LOCALCHAIN_PORT to another one") from error
        self._node_port: int | None = None
        self._thread: threading.Thread | None = None

    def open(self, node_port: int) -> None:
        """Pass new connections on to the node at `node_port`."""
        self._node_port = node_port
        if self._thread is None:
            self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
            self._thread.start()

    def shut(self) -> None:
        """Turn new connections away until it is opened again; those to a dead node end by themselves."""
        self._node_port = None

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, sock=self._socket, limit=_PIECE)
        await server.serve_forever()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            if self._node_port is None:
                return
            node_reader, node_writer = await asyncio.open_connection(
                "127.0.0.1", self._node_port, limit=_PIECE
            )
            with contextlib.closing(node_writer):
                await asyncio.gather(_pump(reader, node_writer), _pump(node_reader, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Bytes from one side to the other until one of them is done."""
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE):
            target.write(piece)
            await target.drain()
    target.close()
