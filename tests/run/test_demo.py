"""The demo: signed in as its people, one finds what the story says; a second start adds nothing."""

import http.cookiejar
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from records.demo.cast import AMARA, ASHA, BEN, BLOOD_REPORT, CHIARA, CONSULTATION_NOTE, PASSWORD, Person
from tests.run.portal import Portal, run_portal

pytestmark = pytest.mark.slow


class Visitor:
    """A browser without scripts: cookies, forms, pages."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        with self._opener.open(self._portal.url + path) as answer:
            return str(answer.read().decode())

    def sign_in(self, person: Person) -> str:
        """The page one lands on."""
        form = self.get("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token
        fields = {"csrfmiddlewaretoken": token[1], "login": person.email, "password": PASSWORD}
        body = urllib.parse.urlencode(fields).encode()
        with self._opener.open(self._portal.url + "/accounts/login/", body) as answer:
            assert answer.geturl() == self._portal.url + "/"
            return str(answer.read().decode())


def test_the_demo_is_there_once_however_often_the_portal_starts(tmp_path: Path) -> None:
    for _ in range(2):
        with run_portal(tmp_path, demo=True) as portal:
            assert f"{ASHA.email:<26} {ASHA.name}" in portal.said()
            assert PASSWORD in portal.said()
            asha = Visitor(portal)
            home = asha.sign_in(ASHA)
            assert "Lakeside Clinic" in home  # whose request waits for an answer
            records = asha.get("/records/")
            assert records.count(BLOOD_REPORT.title) == 1
            assert records.count(CONSULTATION_NOTE.title) == 1  # the doctor's
            assert "Letter from Lakeside Clinic" in asha.get("/inbox/")
            assert ASHA.name in Visitor(portal).sign_in(AMARA)
            assert "Vaccination record" in Visitor(portal).sign_in(CHIARA)
            assert "Discharge summary" in Visitor(portal).sign_in(BEN)
            assert "Traceback" not in portal.said()
            assert "invites you" not in portal.said()  # nobody reads the demo's mails
            portal.stop()
