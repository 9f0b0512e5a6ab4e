"""The story, told with marked words in every place that is medical: what a thief would look for."""

import base64
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests.story.hospital import Hospital, open_hospital
from tests.story.plain import Api, PlainVisitor
from tests.story.portal import PASSWORD, StoryPortal, wait_for

# A kind, a purpose and a day that nothing else in the portal's state has.
KIND, PURPOSE, DAY = "11526-1", "CLINTRCH", "1961-07-19"
FIXED = {
    "kind's code": KIND.encode(),
    "kind's label": b"Pathology report",
    "purpose's code": PURPOSE.encode(),
    "purpose's label": b"Clinical trial",
    "date of service": DAY.encode(),
    "password": PASSWORD.encode(),
}


@dataclass
class Marked:
    """Words that nobody else uses, by what they were said as."""

    words: dict[str, bytes] = field(default_factory=lambda: dict(FIXED))

    def say(self, what: str) -> str:
        """A new marked word."""
        word = f"zq{secrets.token_hex(8)}"
        self.words[what] = word.encode()
        return word

    def content(self, what: str) -> bytes:
        """A file of a few chunks that says its word in every line."""
        return (self.say(what).encode() + b" 11.1 g/dl\n") * 8000


class MarkedStory:
    """Everybody's part, by pages and by API."""

    def __init__(self, portal: StoryPortal) -> None:
        self.portal, self.marked = portal, Marked()
        self.hospital: Hospital = open_hospital(portal)
        self.doctor: Api = self.hospital.api
        self.visitor = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
        self.visitor.register()
        self.patient: Api = self.visitor.make_token()
        self.record = ""

    def description(self, what: str) -> dict[str, Any]:
        """A described upload with marked words."""
        say = self.marked.say
        return {
            "title": f"Report {say(f'title of {what}')} of March",
            "kind": KIND,
            "service_date": DAY,
            "file_name": f"{say(f'file name of {what}')}.txt",
            "media_type": f"application/{say(f'media type of {what}')}",
        }

    def terms(self, what: str) -> dict[str, Any]:
        """Return the terms of a doctor's request, with marked words."""
        return {
            "via": self.hospital.address,
            "purpose": PURPOSE,
            "kinds": [KIND],
            "days": 30,
            "permissions": "write",
            "note": f"Please, {self.marked.say(f'note of {what}')}",
        }

    def tell(self) -> None:
        """Folders, records, a request, grants, reading, mending, a refusal, the inbox, a revoke."""
        self.fill_folders()
        self.measure_and_search()
        self.ask_and_grant()
        self.read_by_pages()
        self.modify()
        self.leave_and_refuse()
        self.revoke()

    def fill_folders(self) -> None:
        """A marked folder, renamed by its page, and the patient's own record in it."""
        say, patient = self.marked.say, self.patient
        made = patient.send("POST", "folders", name=f"Folder {say('folder')}").json()["number"]
        self.visitor.post(f"/records/folders/{made}/name/", name=f"Folder {say('new name of folder')}")
        patient.send("POST", "folders", name=f"Folder {say('other folder')}")
        self.record = patient.upload(
            self.marked.content("content"),
            folder=made,
            nonce=say("nonce"),
            **self.description("record"),
        )
        patient.wait_for_state(f"records/{self.record}", "confirmed")

    def measure_and_search(self) -> None:
        """Measurements by the page, a row that is refused, a FHIR file; and words to search for."""
        say, visitor = self.marked.say, self.visitor
        sent = {
            "form": str(uuid.uuid4()),
            "title": say("title of values"),
            "service_date": DAY,
            "folder": "1",
        }
        rows = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-measure": "other"}
        for name in ("name", "value", "unit", "note"):
            rows[f"form-0-{name}"] = say(f"{name} of a measurement")
        refused = visitor.post("/records/observations/new/", **sent, **rows, **{"form-0-when": say("moment")})
        assert refused.status == 400, refused.text
        saved = visitor.post("/records/observations/new/", **sent, **rows)
        assert rows["form-0-value"] in saved.text
        wrong = {"resourceType": "Observation", "code": {"text": say("name in a refused file")}}
        visitor.post("/records/observations/import/", **sent, bundle=json.dumps(wrong))
        found = visitor.post("/records/", text=say("search"), kind=KIND)
        assert "Nothing found" in found.text
        visitor.go("/records/observations/")

    def ask_and_grant(self) -> None:
        """A request with a note; granted by folder to write, and by selection to read."""
        asked = self.doctor.send("POST", "requests", patient=self.patient.address, **self.terms("request"))
        assert asked.status == 201, asked.text
        self.doctor.wait_for_state(f"requests/{asked.json()['id']}", "open")
        folder = self.patient.get(f"records/{self.record}").json()["folder"]
        ends = (timezone.now() + timedelta(days=5)).isoformat()
        to = {"grantee": self.doctor.address, "via": self.hospital.address, "expires_at": ends}
        to["request"] = asked.json()["id"]
        for what in ({"folders": [folder], "permissions": "write"}, {"selection": True, "kinds": [KIND]}):
            given = self.patient.send("POST", "grants", **to, **what)
            assert given.status == 202, given.text
        wait_for(lambda: len(self._scopes()) == 2, "both grants")

    def _scopes(self) -> list[Any]:
        return [scope for patient in self.doctor.get("patients").json() for scope in patient["scopes"]]

    def read_by_pages(self) -> None:
        """Every page that shows medical words, as the patient and as the doctor see it."""
        title = self.marked.words["title of record"].decode()
        paths = ["/", "/records/", f"/records/{self.record}/", "/history/", "/sharing/", "/requests/"]
        paths += [f"/patients/{self.patient.address}/?via={self.hospital.address}"]
        shown = [visitor.go(path).text for visitor in (self.visitor, self.hospital.doctor) for path in paths]
        assert sum(title in page for page in shown) >= 6
        opened = self.hospital.doctor.go(f"/records/{self.record}/versions/1/file/")
        assert self.marked.words["content"] in opened.body

    def modify(self) -> None:
        """The doctor mends the description by its page, then sends a new file. One more is only described."""
        doctor, via = self.doctor, self.hospital.address
        mended = {"title": self.marked.say("mended title"), "kind": KIND, "service_date": DAY, "via": via}
        saved = self.hospital.doctor.post(f"/records/{self.record}/edit/", **mended)
        assert mended["title"] in saved.text
        doctor.wait_for_state(f"records/{self.record}", "confirmed")
        words = self.description("version") | {"via": via, "patient": self.patient.address}
        doctor.upload(self.marked.content("content of version"), replaces=self.record, **words)
        doctor.wait_for_state(f"records/{self.record}", "confirmed")
        described = doctor.send(
            "POST", "uploads", **self.description("draft") | {"via": via, "patient": self.patient.address}
        )
        assert described.status == 201, described.text

    def leave_and_refuse(self) -> None:
        """A record into an inbox, and requests denied with a reason: by chain and by mail."""
        other = PlainVisitor(self.portal.url, self.portal.mailbox, "Ben Carter", "ben@example.org")
        other.register()
        api, doctor = other.make_token(), self.doctor
        wait_for(lambda: api.get("me").json()["key_fingerprint"], "the key")
        words = self.description("letter") | {"via": self.hospital.address, "patient": api.address}
        left = doctor.upload(self.marked.content("content of letter"), **words)
        api.wait_for_state(f"records/{left}", "confirmed")
        asked = doctor.send("POST", "requests", patient=api.address, **self.terms("denied request"))
        api.wait_for_state(f"requests/{asked.json()['id']}", "open")
        api.send("POST", f"requests/{asked.json()['id']}/deny", reason=self.marked.say("reason"))
        doctor.send("POST", "requests", email=other.email, **self.terms("mailed request"))
        while "/requests/mailed/" not in (mailed := self.portal.mailbox.take_link(other.email)):
            pass  # other mails say that something waits
        page = other.post(mailed)
        assert self.marked.words["note of mailed request"].decode() in page.text
        request = page.url.removeprefix(self.portal.url)
        other.post(f"{request}deny/", reason=self.marked.say("reason of mailed request"))
        refused = other.post(f"{request}deny/", reason=self.marked.say("reason too long") * 99)
        assert refused.status >= 400

    def revoke(self) -> None:
        """With the worker frozen: what the queue holds stays there to be looked at."""
        self.portal.stop_worker()
        for grant in self.patient.get("grants").json():
            if grant["state"] == "live":
                end = {name: grant[name] for name in ("grantee", "via", "scope")}
                assert self.patient.send("POST", "grants/revoke", **end).status == 202
        self.doctor.send("POST", "requests", email="new@example.org", **self.terms("last request"))
        words = self.description("last record")
        self.patient.upload(self.marked.content("content of last record"), **words)


def vault_keys(*visitors: PlainVisitor) -> dict[str, bytes]:
    """Return the value of each visitor's vault cookie, as it is sent and as bytes."""
    found = {}
    for visitor in visitors:
        (sent,) = [cookie.value for cookie in visitor.cookies if cookie.name == "medrec_vault"]
        assert sent
        found[f"cookie of {visitor.name}"] = sent.encode()
        found[f"vault key of {visitor.name}"] = base64.urlsafe_b64decode(sent)
    return found


def session_cookies(*visitors: PlainVisitor) -> list[str]:
    """The session cookies of these visitors' browsers."""
    jars = [cookie for visitor in visitors for cookie in visitor.cookies]
    return [cookie.value or "" for cookie in jars if cookie.name == "sessionid"]
