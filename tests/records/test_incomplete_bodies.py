"""A body that does not come to its end: the sender is told, nothing is taken, and it can be sent again."""

import io
from typing import Any

import pytest
from django.test import Client

from accounts.actor import Actor
from records.models import Upload
from tests.records.conftest import FILE
from tests.records.test_api import Api

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]


class CutBody(io.RawIOBase):
    """What the web server gives of a client that has gone, or was too slow."""

    def read(self, size: int = -1) -> bytes:
        del size
        raise ConnectionResetError


def cut(client: Client, method: str, path: str, content_type: str, headers: Any = None) -> Any:
    body: Any = {"wsgi.input": CutBody(), "CONTENT_LENGTH": "1000"}
    return client.generic(method, path, b"x" * 1000, content_type, headers=headers, **body)


def describe(api: Api) -> str:
    described = api.post(
        "uploads", title="Cut", kind="51899-3", file_name="a.pdf", size=len(FILE), folder=1, media_type=""
    )
    assert described.status_code == 201, described.content
    return str(described.json()["id"])


def test_a_file_that_was_cut_is_sent_again(patient: Actor) -> None:
    api = Api(patient)
    upload = describe(api)
    answer = cut(
        api.client, "PUT", f"/api/v1/uploads/{upload}/content", "application/octet-stream", api.headers
    )
    assert answer.status_code == 408
    assert "send it again" in answer.json()["error"]
    assert api.put(f"uploads/{upload}/content", FILE).status_code == 201


def test_a_description_that_was_cut_describes_nothing(patient: Actor) -> None:
    api = Api(patient)
    before = Upload.objects.count()
    answer = cut(api.client, "POST", "/api/v1/uploads", "application/json", api.headers)
    assert (answer.status_code, list(answer.json())) == (408, ["error"])
    assert Upload.objects.count() == before


def test_a_form_that_was_cut_is_refused() -> None:
    answer = cut(Client(), "POST", "/accounts/login/", "application/x-www-form-urlencoded")
    assert answer.status_code == 400
