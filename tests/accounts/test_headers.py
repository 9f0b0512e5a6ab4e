"""Every answer has the headers that keep a browser safe: pages, files, probes, and errors of any layer."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from medrec import urls
from tests import policies
from tests.accounts.conftest import sign_in
from tests.exploits.crawling import PARAMETER, UNKNOWN, routes
from tests.people import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("chain")]

EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "X-Accel-Buffering": "no",
}
READER = "/records/reader/"
PUBLIC = EXPECTED | {"Cross-Origin-Resource-Policy": "cross-origin", "X-Accel-Buffering": None}


def burst(request: HttpRequest) -> HttpResponse:
    """A view with a fault."""
    raise RuntimeError(request.path)


urlpatterns = [*urls.urlpatterns, path("burst/", burst)]


def check(answer: Any, expected: Mapping[str, str | None] = EXPECTED) -> None:
    """All headers are there."""
    assert policies.directives(answer["Content-Security-Policy"]) == policies.PAGE
    assert answer["Permissions-Policy"]
    assert answer["Cache-Control"]
    assert {name: answer.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 200),
        ("/accounts/login/", 200),
        ("/profile/", 302),
        ("/nothing-here/", 404),
        ("/api/v1/records", 401),
        ("/api/v1/nothing", 404),
        ("/admin/", 302),
        ("/healthz", 200),
        ("/metrics", 404),
        ("/burst/", 500),
    ],
)
def test_an_answer_of_any_kind_has_them(address: str, status: int, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    answer = Client(raise_request_exception=False).get(address)
    assert answer.status_code == status
    check(answer)


def test_no_address_has_another_policy_or_lets_a_proxy_keep_its_answer_in_a_file() -> None:
    client = sign_in(make_person())
    without = []
    for route in routes():
        address = "/" + PARAMETER.sub(lambda found: str(UNKNOWN.get(found[1], uuid.uuid4())), route)
        answer = client.get(address)
        same = policies.directives(answer["Content-Security-Policy"]) == policies.PAGE
        if answer.get("X-Accel-Buffering") != "no" or not (same or address == READER):
            without.append(address)
    assert without == []


def test_probes_that_fail_or_are_written_to_have_them(settings: Any) -> None:
    settings.METRICS_TOKEN = "t" * 24
    assert Client().get("/metrics").status_code == 401
    for probe in ("/healthz", "/readyz", "/metrics"):
        check(Client().get(probe))
        check(Client().post(probe))


def test_refusals_before_any_view_have_them() -> None:
    foreign = Client(raise_request_exception=False).get("/", headers={"host": "evil.example"})
    assert foreign.status_code == 400
    check(foreign)
    forged = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "x"})
    assert forged.status_code == 403
    check(forged)


def test_static_files_have_them_and_may_be_fetched_by_the_reader_of_pdfs(
    settings: Any, tmp_path: Any
) -> None:
    (tmp_path / "site.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = True
    settings.WHITENOISE_USE_FINDERS = False
    file = Client().get(f"/{settings.STATIC_URL.strip('/')}/site.css")
    assert file.status_code == 200
    check(file, PUBLIC)
    check(Client().get(f"/{settings.STATIC_URL.strip('/')}/none.css"), PUBLIC)


def test_the_reader_of_pdfs_may_be_framed_by_its_own_page() -> None:
    reader = sign_in(make_person()).get(READER)
    assert reader["X-Frame-Options"] == "SAMEORIGIN"
    assert policies.directives(reader["Content-Security-Policy"]) == policies.READER


def test_signing_out_clears_what_the_browser_has_kept() -> None:
    client = sign_in(make_person())
    assert "Clear-Site-Data" not in client.get("/profile/").headers
    assert client.post("/accounts/logout/").headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "Clear-Site-Data" not in client.get("/").headers
