"""A file that lies with somebody else: read over a socket, a block at a time, by the process that decodes.

A message to the owner is a letter and two unsigned 64-bit numbers: R (offset, length) asks for bytes, and
just these come back; A, E and F (length, 0) are answers, whose body of that length follows.
"""

import io
import os
import socket
import struct

MESSAGE = struct.Struct(">cQQ")
READ, ANSWER, REFUSED, NO_FRAME = b"R", b"A", b"E", b"F"
BLOCK = 256 * 1024
BLOCKS_KEPT = 16
READ_MAX = 512 * 1024 * 1024
WALL_SECONDS = 20
"""How long a question may take, on both sides."""


class RemoteFile(io.RawIOBase):
    """The file of `size` bytes behind a socket. Small reads share blocks, large ones go through at once."""

    def __init__(self, channel: socket.socket, size: int) -> None:
        self._channel = channel
        self._size = size
        self._at = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place. Before the beginning is an OSError."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("a place before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, fewer only at the end. Raises MemoryError for more than READ_MAX."""
        rest = max(self._size - self._at, 0)
        wanted = rest if size is None or size < 0 else min(size, rest)
        if wanted > READ_MAX:
            raise MemoryError("more at once than is allowed")
        data = self._fetch(self._at, wanted) if wanted > BLOCK else self._from_blocks(wanted)
        self._at += wanted
        return data

    def readall(self) -> bytes:
        """Read everything that is left."""
        return self.read(-1)

    def readinto(self, buffer: "memoryview[int] | bytearray", /) -> int:  # type: ignore[override]
        """For a buffered reader."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _from_blocks(self, wanted: int) -> bytes:
        first, last = self._at // BLOCK, (self._at + max(wanted, 1) - 1) // BLOCK
        both = b"".join(self._block(number) for number in range(first, last + 1))
        start = self._at - first * BLOCK
        return both[start : start + wanted]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            start = number * BLOCK
            self._blocks[number] = self._fetch(start, max(min(BLOCK, self._size - start), 0))
        return self._blocks[number]

    def _fetch(self, offset: int, length: int) -> bytes:
        if not length:
            return b""
        self._channel.sendall(MESSAGE.pack(READ, offset, length))
        return receive(self._channel, length)


def receive(channel: socket.socket, length: int) -> bytes:
    """Exactly so many bytes. Raises ConnectionError when the other side has gone."""
    data = bytearray(length)
    view, have = memoryview(data), 0
    while have < length:
        got = channel.recv_into(view[have:])
        if not got:
            raise ConnectionError("the other side has gone")
        have += got
    return bytes(data)
