"""The OpenAPI document: what an author of an integration reads, and what generated clients show."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts.actor import Actor
from tests.records.test_api import Api

pytestmark = pytest.mark.django_db

NAMES = Path(__file__).with_name("api_names.json")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The document as a dictionary."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


def test_the_document_needs_no_token_and_says_how_to_use_one() -> None:
    answer = Client().get("/api/v1/schema", headers={"accept": "application/vnd.oai.openapi+json"})
    assert "bearer" in json.dumps(answer.json()["components"]["securitySchemes"])


def test_everything_in_it_is_described(schema: dict[str, Any]) -> None:
    """A call has a sentence, an answer to failure, and parameters that are described, as each field is."""
    silent = []
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            silent += [f"{method} {path}"] * (not call.get("description", "").endswith("."))
            silent += [
                f"{path} {it['name']}" for it in call.get("parameters", []) if not it.get("description")
            ]
            failure = call["responses"]["default"]["content"]["application/json"]["schema"]["$ref"]
            assert failure == "#/components/schemas/Error", (method, path)
    for name, component in schema["components"]["schemas"].items():
        fields = component.get("properties", {}).items()
        silent += [name] * (not component.get("description"))
        silent += [f"{name}.{field}" for field, about in fields if not about.get("description")]
    assert silent == []


def test_its_names_are_final(schema: dict[str, Any]) -> None:
    """Another name breaks integrations. The list may grow, and else changes with a version of the API."""
    calls = {
        call["operationId"]: f"{method.upper()} {path}"
        for path, calls in schema["paths"].items()
        for method, call in calls.items()
    }
    shapes = schema["components"]["schemas"].items()
    components = {name: list(shape.get("properties", {})) or sorted(shape["enum"]) for name, shape in shapes}
    assert {"calls": calls, "components": components} == json.loads(NAMES.read_text())


@pytest.mark.usefixtures("chain")
def test_an_answer_is_as_its_component_says(patient: Actor, schema: dict[str, Any]) -> None:
    ada = Api(patient)
    record = ada.send()
    shown = ada.get(f"records/{record}").json()
    component = schema["components"]["schemas"]["Record"]
    assert list(component["properties"]) == list(shown)
    assert component["required"] == sorted(shown)
    assert shown["state"] in schema["components"]["schemas"]["ActState"]["enum"]
    nullable = {name for name, about in component["properties"].items() if about.get("nullable")}
    assert nullable == {"block_number", "service_date"}
    assert (shown["id"], shown["block_number"], shown["service_date"]) == (record, None, None)


def test_a_failure_is_as_its_component_says(patient: Actor, schema: dict[str, Any]) -> None:
    ada = Api(patient)
    names = set(schema["components"]["schemas"]["Error"]["properties"])
    failures = [ada.get("records/0x12"), ada.post("folders", name=""), ada.post("folders", name=" " * 300)]
    assert [answer.status_code for answer in failures] == [404, 400, 400]
    for answer in failures:
        assert {"error"} <= set(answer.json()) <= names
