"""The chain's public port: closed until the journal is replayed; then reads and signed transactions alone.

Nobody sees a chain gone back in time, and no web page or program changes the chain but by transactions.
"""

import asyncio
import json
import socket
import threading

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from chain.localchain.errors import LocalChainError
from chain.localchain.policy import refuse_calls, refuse_sender

BODY_MAX = 64 * 1024**2  # bytes
NODE_TIMEOUT = 120.0  # seconds


class Gate:
    """A loopback port, taken at once so that one in use is reported at once. It listens once opened.

    The node listens on a port of its own: anvil cannot begin to listen later than it starts.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalChainError(f"port {port} is in use: set LOCALCHAIN_PORT to another one") from error
        self._node_url = ""
        self._thread: threading.Thread | None = None

    def open(self, node_url: str) -> None:
        """Pass requests on to the node."""
        self._node_url = node_url
        if self._thread is None:
            self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
            self._thread.start()

    def shut(self) -> None:
        """Answer 503 until it is opened again."""
        self._node_url = ""

    async def _serve(self) -> None:
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        async with ClientSession(timeout=ClientTimeout(total=NODE_TIMEOUT)) as self._session:
            await web.SockSite(runner, self._socket).start()
            await asyncio.Event().wait()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method != "POST":
            return _refusal(405, "Send JSON-RPC requests by POST.")
        if reason := refuse_sender(request.headers):
            return _refusal(403, reason)
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return _refusal(400, "This is not JSON.")
        if (refusal := refuse_calls(body)) is not None:
            return web.json_response(refusal)
        return await self._ask_node(body)

    async def _ask_node(self, body: object) -> web.Response:
        """Send what was read, not the bytes that came: node and gate never read two things in one request."""
        if not self._node_url:
            return _refusal(503, "The chain is starting.")
        try:
            async with self._session.post(self._node_url, json=body) as answer:
                return web.Response(
                    status=answer.status, body=await answer.read(), content_type="application/json"
                )
        except (ClientError, TimeoutError):
            return _refusal(503, "The node does not answer.")


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
