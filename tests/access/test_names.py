"""An address becomes no name: every page and field that takes one answers alike for known and for unknown.

The pages come from the URL resolver and the fields of the API from its schema, so that a new one is asked
too. A known address and an unknown one of the same standing on the chain (both with a key there, or both
without) are asked about in turn. Apart from the address itself the answers must be the same text.
"""

import ast
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.actor import Actor
from accounts.directory import newest_digests
from accounts.page_binding import HEADER
from chain.acts.messages import sign_act
from chain.outbox.submit import submit_act
from records.services import inbox
from tests.accounts.conftest import sign_in
from tests.chain_node import ChainNode, fresh_person
from tests.page_client import PageClient
from tests.people import make_doctor, make_patient
from tests.records.conftest import LABORATORY, Clinic, grant, make_clinic
from tests.records.test_api import Api

pytestmark = pytest.mark.django_db

NAME = "Chiara Unseen"
ROOT = Path(settings.BASE_DIR)
# Every name under which a page may take an address, in its query or its form.
FIELDS = (
    "patient",
    "grantee",
    "via",
    "sender",
    "doctor",
    "account",
    "author",
    "agent",
    "address",
    "scope",
    "email",
)
NOT_OURS = ("admin", "static", "media", "accounts/", "api/")


@dataclass(frozen=True)
class Pair:
    """Two addresses that differ in one thing: somebody of this portal has the first."""

    known: str
    unknown: str


@pytest.fixture
def pairs(chain: ChainNode) -> dict[str, Pair]:
    """A patient with a key on the chain, a doctor whom nobody has affiliated, a patient without a key."""
    patient = make_patient(NAME)
    doctor = make_doctor(make_clinic(chain, "Jade Practice", "Omar Finch").institution, NAME)
    keyed = []
    for person in (fresh_person(), fresh_person()):
        like = patient.own_public_key.key
        submit_act(sign_act(person.prepare("PublishKey", version=1, key="0x" + like.hex()), person.key))
        keyed.append(person.address)
    chain.settle()
    return {
        "patient": Pair(patient.address, keyed[0]),
        "doctor": Pair(doctor.address, keyed[1]),
        "without key": Pair(make_patient(NAME).address, fresh_person().address),
    }


def alike(text: str, address: str) -> str:
    """The answer without what names the address, and without what is new in every answer."""
    for form in (address, address.lower(), f"{address[:8]}…{address[-6:]}"):
        text = text.replace(form, "<address>")
    text = text.replace(json.dumps(f"{address[:8]}…{address[-6:]}")[1:-1], "<address>")
    for digest in newest_digests([address]).values():
        digits = digest.removeprefix("0x")[:16].upper()
        text = text.replace(" ".join(digits[at : at + 4] for at in range(0, 16, 4)), "<key>")
    text = re.sub(r"(csrfmiddlewaretoken\" value=\")\w+", r"\1", text)
    text = re.sub(r"Wy[\w-]+:[\w-]{43}", "<binding>", text)  # account and patient of the page, signed
    text = " ".join(text.split())
    text = re.sub(r'<div class="banner .*?</div>\s*</div>\s*', "", text)  # while no worker runs
    text = re.sub(r"0x[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r"0x[0-9a-f]{8}…", "<id>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?|\d\d:\d\d\b|\b1\d{9}\b", "<time>", text)


def said(answer: Any, address: str) -> str:
    """Status, place and text of an answer."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if answer.get("Content-Type") == "application/zip":
        body = b""  # one's own records: the address asked about was not looked at
    text = f"{answer.status_code} {answer.get('Location', '')}\n{body.decode(errors='replace')}"
    assert NAME not in text, text[:2000]
    return alike(text, address)


def every_page() -> Iterator[str]:
    """The addresses of the portal's own pages, with `{...}` for what stands in them."""

    def walk(patterns: list[Any], before: str) -> Iterator[str]:
        for pattern in patterns:
            path = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern):
                yield path

    for path in walk(get_resolver().url_patterns, ""):
        if not path.startswith(NOT_OURS) and not path.startswith("^"):
            yield path


def filled(path: str, address: str, institution: str) -> str:
    """A page's address, with the address asked about where one stands, and unknown ids elsewhere."""
    values = {
        "address": address,
        "id32": "0x" + "5a" * 32,
        "request": "0x" + "5a" * 32,
        "uuid": institution if "institutions/" in path else "00000000-0000-4000-8000-000000000000",
        "int": "1",
        "str": "nothing",
    }
    return "/" + re.sub(r"<(\w+):\w+>", lambda match: values[match[1]], path)


def whole_forms(clinic: Clinic, address: str) -> list[tuple[str, dict[str, Any]]]:
    """Forms that are right but for the address."""
    later = (timezone.localdate() + timedelta(days=30)).isoformat()
    share = {"what": "folders", "folders": "1", "permissions": "read", "expires_at": later}
    terms = {"via": clinic.via, "purpose": "TREAT", "permissions": "read", "days": "30", "note": ""}
    record = {"title": "Letter", "kind": LABORATORY, "service_date": "2026-03-02", "folder": "0"}
    file = {"via": clinic.via, "file_name": "a.pdf", "size": "10", "media_type": ""}
    return [
        (f"/sharing/new/?grantee={address}", share),
        (f"/sharing/new/?grantee={address}", {**share, "via": clinic.via}),
        ("/requests/new/", {**terms, "patient": address}),
        (f"/records/upload/?patient={address}", {**record, **file}),
        (f"/records/observations/new/?patient={address}", {**record, **file}),
        (f"/institutions/{clinic.institution.pk}/affiliate/", {"doctor": address}),
        (f"/institutions/{clinic.institution.pk}/affiliate/", {"doctor": address, "end": "1"}),
    ]


def asked_by_pages(client: PageClient, clinic: Clinic, address: str) -> dict[str, str]:
    """Return each page's answer about an address."""
    client.cookies.pop("messages", None)
    answers = {}
    every_field = dict.fromkeys(FIELDS, address)
    for path in every_page():
        page = filled(path, address, str(clinic.institution.pk))
        answers[f"GET {path}"] = said(client.get(page, every_field), address)
        if "switch" not in path:
            answers[f"POST {path}"] = said(client.post(page, every_field), address)
    for number, (page, form) in enumerate(whole_forms(clinic, address)):
        binding = {HEADER: str(client.binding(address if "?patient=" in page else ""))}
        sent = client.post(page, form, headers=binding)
        answers[f"form {number} {page.partition('?')[0]}"] = said(sent, address)
    return answers


def example(schema: dict[str, Any], shape: dict[str, Any]) -> Any:
    """A value that fits a property of the API's schema."""
    if "$ref" in shape:
        shape = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    if "allOf" in shape or "oneOf" in shape:
        return example(schema, (shape.get("allOf") or shape["oneOf"])[0])
    if "enum" in shape:
        return shape["enum"][0]
    kinds = {"array": [], "integer": 1, "boolean": False, "object": {}}
    if shape.get("type") in kinds:
        return kinds[shape["type"]]
    later = timezone.now() + timedelta(days=3)
    return {"date": "2026-03-02", "date-time": later.isoformat()}.get(
        shape.get("format", ""), "0x" + "5a" * 32
    )


def asked_by_api(api: Api, clinic: Clinic, address: str) -> dict[str, str]:
    """Return each endpoint's answer about an address, in each field that may take one."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    answers = {}
    for path, operations in schema["paths"].items():
        page = re.sub(r"\{\w+\}", "0x" + "5a" * 32, path).removeprefix("/api/v1/")
        for method, operation in operations.items():
            named = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            for name in set(named) & set(FIELDS):
                answers[f"GET {path} {name}"] = said(api.get(f"{page}?{name}={address}"), address)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if method == "post" and body:
                reference = body["schema"]["$ref"].rsplit("/", 1)[1]
                shapes = schema["components"]["schemas"][reference]["properties"]
                values = {name: example(schema, shape) for name, shape in shapes.items()}
                values |= {
                    "folders": [1],
                    "days": 30,
                    "folder": 0,
                    "via": clinic.via,
                    "size": 10,
                    "replaces": None,
                }
                values |= {"kinds": [], "purpose": "TREAT", "request": None, "since": None, "until": None}
                values |= {"not_before": None, "kind": LABORATORY, "records": []}
                for name in set(shapes) & set(FIELDS):
                    for less in ((), ("via",), ("email",), ("patient",)):
                        sent = {
                            key: value for key, value in values.items() if key in shapes and key not in less
                        }
                        answer = api.post(page, **(sent | {name: address}))
                        answers[f"POST {path} {name} without {less}"] = said(answer, address)
    return answers


def undone(ask: Any, by: Any, *args: Any) -> dict[str, str]:
    """Return the answers of a world that has seen nothing of this before, and forgets it."""
    browser: Client = getattr(by, "client", by)
    cookies = deepcopy(browser.cookies)
    with transaction.atomic():
        answers: dict[str, str] = ask(by, *args)
        transaction.set_rollback(True)
    browser.cookies = cookies
    return answers


def difference(what: str, known: dict[str, str], unknown: dict[str, str]) -> tuple[str, str, str]:
    """Return the first place in which two answers differ."""
    one, other = known[what], unknown[what]
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return what, one[at - 40 : at + 80], other[at - 40 : at + 80]


def the_asker(role: str, patient: Actor, clinic: Clinic) -> Actor:
    """Return the actor who asks."""
    return {"patient": patient, "doctor": clinic.doctor, "manager": clinic.manager}[role]


@pytest.mark.parametrize("standing", ["patient", "doctor", "without key"])
@pytest.mark.parametrize("role", ["patient", "doctor", "manager"])
def test_known_and_unknown_addresses_answer_alike(
    role: str, standing: str, patient: Actor, clinic: Clinic, pairs: dict[str, Pair]
) -> None:
    asker, pair = the_asker(role, patient, clinic), pairs[standing]
    client, api = sign_in(asker.user), Api(asker)
    for ask, by in ((asked_by_pages, client), (asked_by_api, api)):
        known = undone(ask, by, clinic, pair.known)
        unknown = undone(ask, by, clinic, pair.unknown)
        assert len(known) > 20
        assert [difference(what, known, unknown) for what in known if known[what] != unknown[what]] == []


def test_what_the_pages_list_names_no_patient_who_gave_nothing(
    chain: ChainNode, patient: Actor, clinic: Clinic, pairs: dict[str, Pair]
) -> None:
    """A patient shares with another and blocks him, a doctor asks him: lists hold his address alone."""
    known = pairs["patient"].known
    grant(patient, known, "")
    inbox.block_sender(actor=patient, sender=known)
    asking = sign_in(clinic.doctor.user)
    asking.post("/requests/new/", whole_forms(clinic, known)[2][1])
    for _ in range(2):
        for client in (sign_in(patient.user), asking):
            for path in every_page():
                if "<" not in path:
                    said(client.get("/" + path), known)
        chain.settle()


def test_a_patient_is_named_to_whom_she_granted(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    page = sign_in(clinic.doctor.user).get(f"/patients/{patient.address}/")
    assert patient.user.name in page.content.decode()


def test_only_naming_asks_the_directory_for_people() -> None:
    """So that no new page goes past the rule."""
    asking = {"person_of", "people_of", "names_of", "find_account"}
    calls = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "records").rglob("*.py")
        if path.name != "naming.py"
        and "medrec_open" not in path.parts  # a program of its own, without this portal's people
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") in asking or getattr(node.func, "attr", "") in asking)
    }
    assert calls == set()
