"""The story over the API: send, ask, grant, open, mend, revoke, with tokens and JSON."""

import json
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.services import tokens
from tests.chain_node import ChainNode
from tests.records.conftest import FILE, LABORATORY, Clinic, grant
from tests.records.observations.test_reading import bundle, weight

pytestmark = pytest.mark.django_db


class Api:
    """One token's client."""

    def __init__(self, actor: Actor, scope: str = "act") -> None:
        _, secret = tokens.make_token(actor=actor, name="test", scope=scope, days=1)
        self.headers = {"authorization": f"Bearer {secret}"}
        self.client = Client()

    def get(self, path: str) -> Any:
        """GET."""
        return self.client.get(f"/api/v1/{path}", headers=self.headers)

    def post(self, path: str, **body: Any) -> Any:
        """POST JSON."""
        return self.client.post(
            f"/api/v1/{path}", json.dumps(body), headers=self.headers, content_type="application/json"
        )

    def put(self, path: str, data: bytes) -> Any:
        """PUT a raw body."""
        return self.client.put(
            f"/api/v1/{path}", data, headers=self.headers, content_type="application/octet-stream"
        )

    def send(self, data: bytes = FILE, **changes: Any) -> str:
        """Describe and send a file. Return the record's id."""
        body = {"title": "Blood report", "kind": LABORATORY, "file_name": "report.pdf", "size": len(data)}
        described = self.post("uploads", **(body | changes))
        assert described.status_code == 201, described.content
        sent = self.put(f"uploads/{described.json()['id']}/content", data)
        assert sent.status_code == 201, sent.content
        record: str = sent.json()["id"]
        return record


def test_the_story(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    ada, dana = Api(patient), Api(clinic.doctor)
    record = ada.send()
    assert ada.get(f"records/{record}").json()["state"] == "waiting"
    chain.settle()
    assert ada.get(f"records/{record}").json()["state"] == "confirmed"
    asked = dana.post(
        "requests", patient=patient.address, via=clinic.via, purpose="TREAT", days=9, permissions="write"
    )
    assert asked.status_code == 201, asked.content
    chain.settle()
    (seen,) = ada.get("requests").json()
    assert (seen["terms"]["permissions"], seen["terms"]["days"]) == ("write", 9)
    ends = (timezone.now() + timedelta(days=5)).isoformat()
    given = ada.post(
        "grants",
        grantee=clinic.doctor.address,
        via=clinic.via,
        folders=[1],
        permissions="write",
        expires_at=ends,
        request=seen["id"],
    )
    assert given.status_code == 202, given.content
    assert dana.get(f"records/{record}/content").status_code == 404
    chain.settle()
    (held,) = dana.get("patients").json()
    assert (held["address"], held["days_left"]) == (patient.address, 5)
    assert [scope["permissions"] for scope in held["scopes"]] == ["write"]
    opened = dana.get(f"records/{record}/content")
    assert b"".join(opened.streaming_content) == FILE
    assert opened["Content-Disposition"] == 'attachment; filename="report.pdf"'
    dana.send(b"%PDF-" + b"x-ray" * 999, patient=patient.address, via=clinic.via, folder=1, title="X-ray")
    chain.settle()
    assert {row["title"] for row in ada.get("records").json()} == {"Blood report", "X-ray"}
    assert "viewed" in {line["action"] for line in ada.get("history").json()}
    (grant,) = ada.get("grants").json()
    assert (grant["permissions"], grant["request"]) == ("write", seen["id"])
    end = {"grantee": grant["grantee"], "via": grant["via"], "scope": grant["scope"]}
    first, again = ada.post("grants/revoke", **end), ada.post("grants/revoke", **end)
    assert (first.status_code, first.json()) == (202, again.json())
    refused = dana.get(f"records/{record}/content")
    assert (refused.status_code, list(refused.json())) == (403, ["error"])


def test_refusals_have_one_shape(chain: ChainNode, patient: Actor) -> None:
    ada = Api(patient)
    chain.settle()
    wrong = ada.post("uploads", title="", kind="nonsense", file_name="a.pdf")
    assert wrong.status_code == 400
    assert set(wrong.json()["fields"]) == {"title", "kind"}
    empty = ada.post("uploads", title="A", kind=LABORATORY, file_name="a.pdf", size=0)
    assert (empty.status_code, empty.json()["field"]) == (400, "size")
    large = ada.post("uploads", title="A", kind=LABORATORY, file_name="a.pdf", size=10**15)
    assert large.status_code == 413
    assert ada.get("records/0x12").status_code == 404
    assert ada.put("uploads/8d4e9a5e-0000-4000-8000-000000000000/content", FILE).status_code == 404
    assert Client().get("/api/v1/me").status_code == 401


def test_a_list_is_narrowed_and_paged(chain: ChainNode, patient: Actor) -> None:
    ada = Api(patient)
    for day in ("2024-05-01", "2025-05-01", "2026-03-01"):
        ada.send(title=f"Report of {day}", service_date=day)
    ada.send(title="Röntgen", kind="18748-4", service_date="2026-03-01")
    chain.settle()

    def titles(query: str) -> list[str]:
        answer = ada.get(f"records?{query}")
        assert answer.status_code == 200, answer.content
        return [row["title"] for row in answer.json()]

    assert len(titles("")) == 4
    assert titles("kind=18748-4") == ["Röntgen"]
    assert titles("since=2025-01-01&until=2025-12-31") == ["Report of 2025-05-01"]
    assert len(titles(f"author={patient.address}")) == 4
    assert titles("folder=7") == []
    paged = ada.get("records?limit=2&offset=1")
    assert (len(paged.json()), paged["X-Total-Count"]) == (2, "4")
    assert [row["title"] for row in paged.json()] == titles("")[1:3]
    assert ada.get("records?offset=9").json() == []
    for wrong in ("limit=0", "limit=x", "offset=-1", "since=soon", "kind=nonsense", "author=0x1"):
        assert ada.get(f"records?{wrong}").status_code == 400, wrong


def test_words_are_searched_for_in_a_body(patient: Actor) -> None:
    ada = Api(patient)
    ada.send(title="Röntgen thorax")
    ada.send(title="Blood report")
    found = ada.post("records/search", text="RONTGEN", limit=5)
    assert [row["title"] for row in found.json()] == ["Röntgen thorax"]
    assert found["X-Total-Count"] == "1"
    assert ada.get("records/search").status_code == 405
    assert ada.post("records/search", text="x" * 201).status_code == 400
    assert len(Api(patient, scope="read").post("records/search").json()) == 2


def test_measurements_come_digit_for_digit(chain: ChainNode, patient: Actor) -> None:
    ada = Api(patient)
    data = bundle(weight(), {"resourceType": "Patient"}).replace(b'"value": 70', b'"value": 70.50')
    record = ada.send(data, title="Weights", file_name="weights.json", media_type="application/fhir+json")
    chain.settle()
    body = ada.get(f"records/{record}/observations").json()
    (value,) = body["values"]
    assert (value["value"], value["unit"], value["code"], value["effective"]) == (
        "70.50",
        "kg",
        "29463-7",
        "2026-03-01",
    )
    assert (body["not_shown_count"], body["withdrawn_count"], body["problems"]) == (1, 0, [])
    assert ada.get("observations").json()["values"] == [value]
    assert ada.get(f"records/{ada.send()}/observations").status_code == 404


def test_measurements_come_with_what_changes_their_meaning(chain: ChainNode, patient: Actor) -> None:
    ada = Api(patient)
    flag = {"coding": [{"code": "HH"}]}
    said = {"status": "preliminary", "interpretation": [flag], "method": {"text": "strip"}}
    data = bundle(weight(**said), weight(effectiveDateTime="2190-01-01"), weight(status=None))
    record = ada.send(data, title="Weights", file_name="weights.json", media_type="application/fhir+json")
    chain.settle()
    body = ada.get(f"records/{record}/observations").json()
    first, second = body["values"]
    assert (first["interpretation"], first["status"]) == (["HH critically high"], "preliminary")
    assert first["remarks"] == ["preliminary, it may still change", "method: strip"]
    assert (first["is_future"], second["is_future"]) == (False, True)
    assert body["problems"] == ["Entry 3, status: this field is required."]
    assert ada.get("observations").json()["values"] == [second, first]


def test_a_version_that_is_no_number_is_refused(patient: Actor) -> None:
    ada = Api(patient)
    record = ada.send()
    for version in ("²", "abc", "0", "9" * 30):
        answer = ada.get(f"records/{record}/content?version={version}")
        assert answer.status_code in (400, 404), version


def test_an_address_is_checked_to_its_last_character(patient: Actor, clinic: Clinic) -> None:
    at = next(at for at in range(2, 42) if patient.address[at].isalpha())
    mistyped = patient.address[:at] + patient.address[at].swapcase() + patient.address[at + 1 :]
    asking = {"via": clinic.via, "purpose": "TREAT", "days": 9}
    answer = Api(clinic.doctor).post("requests", patient=mistyped, **asking)
    assert answer.status_code == 400
    assert "mistyped" in answer.json()["fields"]["patient"][0]
    in_lower_case = Api(clinic.doctor).post("requests", patient=patient.address.lower(), **asking)
    assert in_lower_case.status_code == 201  # EIP-55: no checksum to be wrong


@pytest.mark.parametrize("data", [b'{"patient": "somebody"}', b"[" * 5000, b"\xff not JSON"])
def test_a_file_is_taken_as_it_is_also_when_it_is_said_to_be_json(patient: Actor, data: bytes) -> None:
    api = Api(patient)
    about = {"title": "Report", "kind": LABORATORY, "file_name": "a.json", "size": len(data)}
    upload = api.post("uploads", **about).json()["id"]
    path = f"/api/v1/uploads/{upload}/content"
    sent = api.client.put(path, data, headers=api.headers, content_type="application/json")
    assert sent.status_code == 201, sent.content
    assert (
        api.client.get(f"/api/v1/records/{sent.json()['id']}/content", headers=api.headers).status_code == 200
    )


def test_a_body_nested_too_deeply_is_refused(patient: Actor) -> None:
    ada = Api(patient)
    assert sys.getrecursionlimit() <= 1000  # else the next line ends the process
    answer = ada.client.post(
        "/api/v1/folders", "[" * 100_000, headers=ada.headers, content_type="application/json"
    )
    assert answer.status_code == 400
    assert "nested" in answer.json()["error"]


def test_a_new_version_needs_no_patient_named(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    ada, dana = Api(patient), Api(clinic.doctor)
    record = ada.send()
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    assert dana.send(b"%PDF-" + b"second" * 99, replaces=record, via=clinic.via) == record
    chain.settle()
    assert {version["ordinal"] for version in ada.get(f"records/{record}").json()["versions"]} == {1, 2}


def test_a_read_only_token_reads_and_does_not_act(chain: ChainNode, patient: Actor) -> None:
    Api(patient).send()
    chain.settle()
    reader = Api(patient, scope="read")
    assert reader.get("me").json()["can_sign"] is False
    (row,) = reader.get("records").json()
    assert row["title"] == "Blood report"
    assert reader.post("folders", name="Heart").status_code == 403
    assert reader.post("uploads", title="A", kind=LABORATORY, file_name="a.pdf").status_code == 403


def test_a_sender_is_blocked_and_taken_again(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    ada, dana = Api(patient), Api(clinic.doctor)
    for _ in range(2):
        answer = ada.post("senders/block", sender=clinic.via)
        assert answer.status_code == 202
        (row,) = answer.json()
        assert (row["address"], row["state"], row["unblocking"]) == (clinic.via, "waiting", False)
    advert = {"title": "Advert", "kind": LABORATORY, "file_name": "a.pdf", "via": clinic.via}
    assert dana.post("uploads", patient=patient.address, **advert).status_code == 403
    assert dana.post("senders/block", sender=clinic.via).status_code == 403
    assert ada.post("senders/block", sender="0x12").status_code == 400
    assert Api(patient, scope="read").post("senders/block", sender=clinic.via).status_code == 403
    chain.settle()
    assert ada.get("senders").json()[0]["state"] == "confirmed"
    assert ada.post("senders/unblock", sender=clinic.via).json()[0]["unblocking"] is True
    chain.settle()
    assert ada.get("senders").json() == dana.get("senders").json() == []
    assert dana.post("uploads", patient=patient.address, **advert).status_code == 201
