"""deploy/nginx before a running portal, over TLS: everything works, and nothing is left on a disk."""

import http.client
import json
import re
import socket
import ssl
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from random import Random

import pytest

from tests.deploy.nginx import NginxServer, require_nginx
from tests.records.watching import files_with
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import StoryPortal

pytestmark = pytest.mark.slow

MIB = 1024**2
MARK = b"MARKED haemoglobin 11.1 g/dl "
FILE = b"%PDF-1.7\n" + MARK * (40 * MIB // len(MARK))
LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.pdf"}
CLIENTS, POSTS, LONGEST_PAUSE = 50, 20, 3.0
SECONDS = 120.0


@dataclass(frozen=True)
class Site:
    """nginx, the portal behind it, and a patient who reaches the portal through nginx alone."""

    nginx: NginxServer
    portal: StoryPortal
    visitor: PlainVisitor
    api: Api
    token: str
    record: str  # of FILE

    def connect(self) -> http.client.HTTPSConnection:
        """A connection of its own."""
        context = ssl.create_default_context(cafile=str(self.nginx.certificate))
        return http.client.HTTPSConnection("localhost", self.nginx.port, timeout=SECONDS, context=context)

    def files_with_plaintext(self) -> list[str]:
        """Every file below nginx's folder, or open in nginx, that holds the mark."""
        return files_with(MARK, pids=self.nginx.pids, folders=[self.nginx.folder])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with one patient and one record of 40 MiB."""
    portal = StoryPortal(tmp_path_factory.mktemp("nginx") / "portal")
    with (
        NginxServer(require_nginx(), [int(portal.settings["PORT"])]) as nginx,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SSL_CERT_FILE", str(nginx.certificate))
        portal.settings |= {"PUBLIC_URL": nginx.url, "BEHIND_PROXY": "1", "API_RATE": "6000/min"}
        portal.start()
        visitor = PlainVisitor(nginx.url, portal.mailbox, "Asha Verma", "asha@example.org")
        visitor.register()
        token = visitor.make_token_secret()
        api = Api(nginx.url, token)
        yield Site(nginx, portal, visitor, api, token, api.upload(FILE, **LETTER))
        portal.stop()


def test_a_person_signs_in_and_is_led_to_https(site: Site) -> None:
    plain = http.client.HTTPConnection("localhost", site.nginx.plain_port)
    plain.request("GET", "/records/")
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, f"{site.nginx.url}/records/")
    again = PlainVisitor(site.nginx.url, site.portal.mailbox, site.visitor.name, site.visitor.email)
    home = again.sign_in()
    assert home.url == f"{site.nginx.url}/"
    assert "Letter" in home.text
    cookies = {cookie.name: cookie for cookie in again.cookies}
    assert cookies["__Host-sessionid"].secure
    assert site.visitor.go("/metrics").status == 404


def test_the_portal_sees_the_visitor_and_not_what_the_visitor_says(site: Site) -> None:
    connection = site.connect()
    spoofed = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
    }
    connection.request("POST", "/accounts/login/", headers=spoofed)
    assert connection.getresponse().status == 403  # without a form's token, and no redirect to https
    wrong = {"login": site.visitor.email, "password": "not the password"}
    PlainVisitor(site.nginx.url, site.portal.mailbox, "", "").post("/accounts/login/", **wrong)
    assert "sign-in-failed" in site.portal.portal.said()
    assert "from=203.0.113.9" not in site.portal.portal.said()
    assert "from=127.0.0.1" in site.portal.portal.said()


@pytest.mark.parametrize(
    ("without", "problems"),
    [
        ("", []),
        ("proxy_set_header Host $http_host;", ["medrec.E006"]),
        ("proxy_set_header X-Forwarded-Proto $scheme;", ["medrec.E007"]),
        ("proxy_set_header X-Forwarded-For $remote_addr;", ["medrec.E008"]),
    ],
)
def test_a_wrong_proxy_is_named(site: Site, without: str, problems: list[str]) -> None:
    port = int(site.portal.settings["PORT"])
    with (
        NginxServer(require_nginx(), [port], without=without) as nginx,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SSL_CERT_FILE", str(nginx.certificate))
        said = site.portal.say("check", "--deploy", PUBLIC_URL=nginx.url)
    assert re.findall(r"medrec\.[EW]\d+", said) == problems, said


def test_what_the_portal_sees_is_told_to_nobody_else(site: Site) -> None:
    assert site.visitor.go("/proxy-check").status == 404


def test_secrets_of_links_stand_in_no_log(site: Site) -> None:
    for path in ("requests/mailed/", "invitations/", "accounts/password/reset/key/"):
        site.visitor.go(f"/{path}s3cr3t-of-a-link/")
    site.visitor.go("/records/?seen-in-the-log")
    assert "seen-in-the-log" in site.nginx.requests()
    assert "s3cr3t" not in site.nginx.requests() + site.nginx.errors()


def test_a_record_comes_back_whole_in_part_as_a_pdf_and_in_an_export(site: Site) -> None:
    site.api.wait_for_state(f"records/{site.record}", "confirmed")
    whole = site.api.get(f"records/{site.record}/content")
    assert whole.body == FILE
    assert whole.headers.get("Content-Encoding") is None
    page = site.visitor.go(f"/records/{site.record}/versions/1/view/")
    assert (page.status, "reader" in page.text) == (200, True)
    assert site.visitor.go(f"/records/{site.record}/versions/1/view/file/").body == FILE
    with zipfile.ZipFile(BytesIO(site.api.get("export").body)) as export:
        assert FILE in [export.read(name) for name in export.namelist()]


def test_a_part_of_eight_mib_passes(site: Site) -> None:
    described = site.api.send("POST", "uploads", size=len(FILE), **LETTER).json()
    sent = site.api.put(f"uploads/{described['id']}/parts/0", FILE[: described["part_bytes"]])
    assert sent.status in (200, 201, 204), sent.text


def test_no_pause_between_posts_ends_as_a_502(site: Site) -> None:
    """Kept connections of any age: what nginx keeps must never be what the portal has just closed."""

    def post(number: int) -> list[int]:
        random, connection = Random(number), site.connect()
        statuses = []
        for _ in range(POSTS):
            headers = {"Authorization": f"Bearer {site.token}", "Content-Type": "application/json"}
            connection.request("POST", "/api/v1/records/search", json.dumps({"text": "letter"}), headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            time.sleep(random.uniform(0.0, LONGEST_PAUSE))
        return statuses

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = [status for each in pool.map(post, range(CLIENTS)) for status in each]
    assert statuses == [200] * (CLIENTS * POSTS)


def test_a_slow_reader_leaves_no_plaintext_in_any_file(site: Site) -> None:
    for path in (f"records/{site.record}/content", "export"):
        connection = site.connect()
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {site.token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read(MIB)
        time.sleep(2.0)  # what nginx can take in, it has taken in
        assert site.files_with_plaintext() == []
        connection.close()


def test_a_slow_sender_leaves_no_plaintext_in_any_file(site: Site) -> None:
    described = site.api.send("POST", "uploads", size=len(FILE), **LETTER).json()
    connection = site.connect()
    connection.putrequest("PUT", f"/api/v1/uploads/{described['id']}/content")
    connection.putheader("Authorization", f"Bearer {site.token}")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(len(FILE)))
    connection.endheaders()
    connection.send(FILE[: 20 * MIB])
    time.sleep(1.0)
    assert site.files_with_plaintext() == []
    connection.send(FILE[20 * MIB :])
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
