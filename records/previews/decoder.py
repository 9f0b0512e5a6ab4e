"""The process that decodes pictures: no keys, no environment, no file to write, a fork for each question.

Codecs written in C meet bytes that somebody else chose. So they meet them here: in a child that lives for one
question, with a bound on memory, processor time and wall time, which gets its file over a socket and answers
over it. Its output goes nowhere: codecs like to quote what they read. `records.previews.sandbox` starts it.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import warnings
from typing import Any, BinaryIO, cast

from PIL import Image

from records.previews import detecting, dicom, dicom_inner, pictures
from records.previews.errors import CannotShow, NoSuchFrame
from records.previews.remote_file import ANSWER, MESSAGE, NO_FRAME, REFUSED, WALL_SECONDS, RemoteFile, receive

MEMORY_BYTES = 1024 * 1024 * 1024
PROCESSOR_SECONDS = 12

QUESTION_MAX = 4096


def main() -> None:
    """Wait on the socket that is standard input: a message is a byte and a question's socket."""
    control = socket.socket(fileno=0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
    warnings.simplefilter("ignore")
    os.chdir("/")
    Image.init()  # its formats are loaded here, once, and not in every child
    while True:
        told, handed, _, _ = socket.recv_fds(control, 1, 1)
        if not told:
            return  # whoever started this has ended
        for descriptor in handed:
            if os.fork() == 0:
                control.close()
                _answer(socket.socket(fileno=descriptor))
                os._exit(0)
            os.close(descriptor)


def _answer(channel: socket.socket) -> None:
    """One question, answered. What goes wrong is a damaged file, whatever the codec calls it."""
    _limit()
    try:
        length = int.from_bytes(receive(channel, 4), "big")
        question = json.loads(receive(channel, min(length, QUESTION_MAX)))
        letter, body = ANSWER, _decode(channel, question)
    except NoSuchFrame as error:
        letter, body = NO_FRAME, str(error).encode()
    except CannotShow as error:
        letter, body = REFUSED, str(error).encode()
    except MemoryError:
        letter, body = REFUSED, pictures.TOO_LARGE.encode()
    except Exception:  # the file is hostile or broken
        letter, body = REFUSED, pictures.DAMAGED.encode()
    with contextlib.suppress(OSError):
        channel.sendall(MESSAGE.pack(letter, len(body), 0) + body)


def _decode(channel: socket.socket, question: dict[str, Any]) -> bytes:
    file = cast(BinaryIO, RemoteFile(channel, question["size"]))
    match question["what"]:
        case "measure":
            return json.dumps(pictures.measure(file)).encode()
        case "page":
            return pictures.render_page(file, question["frame"])
        case "describe":
            return json.dumps(dicom.describe(file)).encode()
        case "encoding":
            return detecting.detect(file).encode()
        case "dicom":
            return dicom.render(
                file, question["frame"], question["window"], overlay=question.get("overlay", True)
            )
        case "inner":
            return json.dumps(dicom_inner.locate_inner(file)).encode()
    raise ValueError("an unknown question")


def _limit() -> None:
    """The bounds of this process. A file of a byte more than none ends it, and no core is left behind."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    signal.alarm(WALL_SECONDS)


if __name__ == "__main__":
    main()
