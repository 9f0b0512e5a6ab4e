"""Measures pages of a patient with 2,000 records: the list, a search in it, the API's first page.

The records are written as the projection has them, with real descriptions that the patient's keys open
(`python -m tests.bench.listing` does it, in the portal that VAR names). Sending 2,000 acts is another figure.
"""

import http.cookiejar
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.bench.memory import token
from tests.run.portal import ROOT, Portal, run_portal

LIMITS = {"list_2000_records_ms": 1000.0}
RECORDS = 2000
ROUNDS = 15
EMAIL, PASSWORD = "bench@patients.example", "figures for the bench"


def measure() -> dict[str, float]:
    """Milliseconds, the median of 15 requests."""
    with tempfile.TemporaryDirectory() as folder, run_portal(Path(folder)) as portal:
        bearer = token(portal)
        command = [sys.executable, "-m", "tests.bench.listing"]
        subprocess.run(command, cwd=ROOT, env=portal.environment, check=True)
        page = _Browser(portal)
        page.sign_in()
        api = urllib.request.Request(
            f"{portal.url}/api/v1/records?limit=50", headers={"Authorization": f"Bearer {bearer}"}
        )
        figures = {
            "list_2000_records_ms": _median(lambda: page.expect(page.get("/records/"), "2000 records")),
            "search_2000_records_ms": _median(lambda: page.expect(page.search("number 17"), "Number 17")),
            "api_page_of_2000_records_ms": _median(lambda: urllib.request.urlopen(api, timeout=60).read()),
        }
        portal.stop()
    return figures


def _median(work: Callable[[], object]) -> float:
    for _ in range(3):
        work()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


class _Browser:
    """Cookies and forms."""

    def __init__(self, portal: Portal) -> None:
        self._url = portal.url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._form_token = ""

    def sign_in(self) -> None:
        form = self.get("/accounts/login/")
        self._post("/accounts/login/", form, login=EMAIL, password=PASSWORD)
        self._form_token = self.get("/records/")

    def search(self, text: str) -> str:
        return self._post("/records/", self._form_token, text=text)

    def get(self, path: str) -> str:
        with self._opener.open(self._url + path, timeout=60) as answer:
            return str(answer.read().decode())

    @staticmethod
    def expect(page: str, words: str) -> None:
        if words not in page:
            raise AssertionError(f"the page does not say: {words}")

    def _post(self, path: str, form: str, **fields: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert found
        hidden = {"csrfmiddlewaretoken": found[1]}
        if bound := re.search(r'name="page_binding" value="([^"]+)"', form):
            hidden["page_binding"] = bound[1]
        body = urllib.parse.urlencode(hidden | fields).encode()
        with self._opener.open(self._url + path, body, timeout=60) as answer:
            return str(answer.read().decode())


def fill() -> None:
    """2,000 confirmed records of the bench's patient, ten years of them, straight into the projection."""
    from accounts.models import User
    from accounts.services.signup import open_actor
    from tests.access.mass import write_records

    write_records(open_actor(User.objects.get(email=EMAIL), PASSWORD), RECORDS)


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")
    django.setup()
    fill()
