"""A mail server for tests (aiosmtpd): keeps what it takes, and refuses the addresses that it is told to."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """What it took, and what it answers to whom."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.taken: list[tuple[str, str, str]] = []
        self.connections = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connection."""
        del server, envelope
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """Take or refuse a recipient."""
        del server, session, options
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a mail."""
        del server, session
        message = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
        text = message.get_content()
        self.taken += [(address, str(message["Subject"]), text) for address in envelope.rcpt_tos]
        return "250 taken"

    @property
    def addresses(self) -> list[str]:
        """To whom mails were taken, in their order."""
        return [address for address, _, _ in self.taken]

    @contextmanager
    def running(self, port: int) -> Iterator[None]:
        """Answer on this port of the loopback interface."""
        controller = Controller(self, "127.0.0.1", port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()


@contextmanager
def silent_server(port: int = 0) -> Iterator[socket.socket]:
    """Accept connections on a port, and say nothing."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        yield listener
