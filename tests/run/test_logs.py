"""The logs hold no secret of mailed links."""

import logging
from io import StringIO

import pytest
from django.test import Client

from medrec.logs import HideLinkSecrets

SECRET = "s3cretS3cret_" * 3


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["requests/mailed", "invitations", "accounts/password/reset/key"])
def test_the_secret_of_a_mailed_link_is_not_logged(client: Client, page: str) -> None:
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(HideLinkSecrets())
    logging.getLogger("django.request").addHandler(handler)
    try:
        client.get(f"/{page}/{SECRET}/and/nothing/there/")
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    assert f"/{page}/" in lines.getvalue()
    assert SECRET not in lines.getvalue()


def test_the_console_hides_them() -> None:
    handlers = logging.getLogger().handlers
    console = [one for one in handlers if any(isinstance(f, HideLinkSecrets) for f in one.filters)]
    assert console
