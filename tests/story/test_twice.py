"""Everything that changes something, sent twice at once, as a double click may: one effect."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.story.hospital import Hospital, open_hospital
from tests.story.plain import Answer, Api, PlainVisitor
from tests.story.portal import PASSWORD, StoryPortal, days_from_now, wait_for

pytestmark = pytest.mark.slow

LABORATORY = "11502-2"
DONE = {200, 201}
FINE = DONE | {400, 404, 409}  # the second may be told that the first did it; it never breaks anything


class Pair:
    """A patient and a doctor, by pages; their tokens look at what came of it."""

    def __init__(self, portal: StoryPortal) -> None:
        self.portal = portal
        self.hospital: Hospital = open_hospital(portal)
        self.doctor, self.doctor_api = self.hospital.doctor, self.hospital.api
        self.patient = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
        self.patient.register()
        self.api: Api = self.patient.make_token()
        wait_for(lambda: self.api.get("me").json()["key_fingerprint"], "the key")

    def record(self) -> str:
        """A new confirmed record of the patient's."""
        record = self.api.upload(b"11.1 g/dl", title="Blood", kind=LABORATORY, file_name="blood.txt")
        self.api.wait_for_state(f"records/{record}", "confirmed")
        return record


@pytest.fixture(scope="module")
def pair(portal: StoryPortal) -> Pair:
    return Pair(portal)


def twice(visitor: PlainVisitor, path: str, page: str = "", **fields: Any) -> Answer:
    """Fill the form in once and send it twice at the same time. Return the better answer."""
    filled = visitor.fill_in(page or path, **fields)
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda _: visitor.post_blind(path, **filled), range(2)))
    assert {answer.status for answer in answers} <= FINE, [answer.text for answer in answers]
    best = min(answers, key=lambda answer: answer.status)
    assert best.status in DONE, best.text
    return best


def kinds_on_chain(pair: Pair) -> list[str]:
    """Return the acts on the patient's records and consent, oldest first."""
    return [line["action"] for line in reversed(pair.api.get("history").json())]


def test_a_folder_is_made_and_named_once(pair: Pair) -> None:
    twice(pair.patient, "/records/folders/new/", name="Heart")
    numbers = [row["number"] for row in pair.api.get("folders").json() if row["name"] == "Heart"]
    assert len(numbers) == 1
    twice(pair.patient, f"/records/folders/{numbers[0]}/name/", name="Heart and lungs")
    names = [row["name"] for row in pair.api.get("folders").json()]
    assert sorted(names) == ["General", "Heart and lungs"]


def test_a_description_is_mended_and_a_record_moved_and_closed_once(pair: Pair) -> None:
    record = pair.record()
    page = f"/records/{record}/"
    twice(pair.patient, f"{page}edit/", title="Mended", kind=LABORATORY, service_date="2026-03-02")
    mended = pair.api.wait_for_state(f"records/{record}", "confirmed")
    assert [version["title"] for version in mended["versions"]] == ["Blood", "Mended"]
    twice(pair.patient, "/records/folders/new/", name="Elsewhere")
    (number,) = [row["number"] for row in pair.api.get("folders").json() if row["name"] == "Elsewhere"]
    twice(pair.patient, f"{page}move/", folder=number)
    moved = pair.api.wait_for_state(f"records/{record}", "confirmed")
    assert (moved["folder"], moved["version"]) == (number, 3)
    twice(pair.patient, f"{page}close/", reason="entered in error")
    wait_for(lambda: pair.api.get(f"records/{record}").json()["closed"], "the closing")
    assert kinds_on_chain(pair).count("closed") == 1


def test_a_request_is_made_withdrawn_and_denied_once(pair: Pair) -> None:
    asks: dict[str, Any] = {"patient": pair.api.address, "purpose": "TREAT", "permissions": "read", "days": 9}
    asks["via"] = pair.hospital.address
    for end in ("withdraw", "deny"):
        twice(pair.doctor, "/requests/new/", **asks)
        (asked,) = [row for row in pair.doctor_api.get("requests").json() if row["state"] != "withdrawn"]
        pair.doctor_api.wait_for_state(f"requests/{asked['id']}", "open")
        visitor = pair.doctor if end == "withdraw" else pair.patient
        page = f"/requests/{asked['id']}/"
        twice(visitor, f"{page}{end}/", page, reason="No")
        wait_for(lambda: pair.api.get("requests").json()[0]["state"] != "open", f"the {end}")
    assert sorted(row["state"] for row in pair.doctor_api.get("requests").json()) == ["denied", "withdrawn"]


def test_access_is_given_and_given_back_once(pair: Pair) -> None:
    record = pair.record()
    give = f"/sharing/new/?grantee={pair.doctor_api.address}"
    shown = pair.patient.post(
        give,
        via=pair.hospital.address,
        what="records",
        records=record,
        permissions="read",
        expires_at="2099-01-01",
    )
    assert shown.status == 400  # no grant lasts that long
    shown = pair.patient.post(
        give,
        via=pair.hospital.address,
        what="records",
        records=record,
        permissions="read",
        expires_at=days_from_now(5),
    )
    found = re.search(r'name="proposal" value="([^"]+)"', shown.text)
    assert found, shown.text
    twice(pair.patient, "/sharing/confirm/", "/sharing/", proposal=found[1])
    wait_for(lambda: pair.doctor_api.get("patients").json(), "the grant")
    assert kinds_on_chain(pair).count("granted") == 1
    given = {"via": pair.hospital.address, "scope": record}
    twice(pair.doctor, f"/patients/{pair.api.address}/give-up/", "/profile/", **given)
    assert pair.doctor_api.get(f"records/{record}").status == 403
    wait_for(lambda: "given up" in kinds_on_chain(pair), "the giving back")
    assert kinds_on_chain(pair).count("given up") == 1


def test_a_token_is_made_once(pair: Pair) -> None:
    twice(pair.patient, "/tokens/", name="twice", scope="read", days=3, password=PASSWORD)
    assert pair.patient.go("/tokens/").text.count(">twice<") == 1


def test_an_invitation_is_mailed_once(pair: Pair) -> None:
    manager, page = pair.hospital.manager, pair.hospital.page
    twice(manager, f"{page}invite/", page, email="eve@ruby.example", role="doctor")
    assert manager.go(page).text.count(">eve@ruby.example<") == 1
