"""Downloads from the running portal, over a socket: parts, and a ZIP that comes in chunks."""

import http.client
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.bench.memory import PIECE, Client, token
from tests.run.portal import run_portal

pytestmark = pytest.mark.slow


def test_parts_and_a_zip_over_a_socket(tmp_path: Path) -> None:
    with run_portal(tmp_path / "portal") as portal:
        secret = token(portal)
        record = Client(portal, secret).upload(3 * len(PIECE))
        connection = http.client.HTTPConnection("127.0.0.1", int(portal.environment["PORT"]), timeout=120)

        def ask(method: str, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
            connection.request(
                method, f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}", **headers}
            )
            answer = connection.getresponse()
            return answer, answer.read()

        content = f"records/{record}/content"
        head, nothing = ask("HEAD", content)
        assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", str(3 * len(PIECE)))
        part, data = ask("GET", content, Range="bytes=1048570-2097159")
        assert (part.status, data) == (206, PIECE[-6:] + PIECE + PIECE[:8])
        known, nothing = ask("GET", content, **{"If-None-Match": head.headers["ETag"]})
        assert (known.status, nothing) == (304, b"")
        beyond, nothing = ask("GET", content, Range="bytes=99999999-")
        assert (beyond.status, nothing) == (416, b"")
        taken, data = ask("GET", "export")
        assert taken.headers["Transfer-Encoding"] == "chunked"
        archive = zipfile.ZipFile(BytesIO(data))
        (name,) = (name for name in archive.namelist() if name.startswith("records/"))
        assert archive.read(name) == PIECE * 3
        portal.stop()
