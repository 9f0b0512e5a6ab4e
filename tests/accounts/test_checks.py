"""Settings that would break a promise stop the start, with their name."""

from typing import Any

import pytest
from django.conf import settings

from accounts.checks import check_settings


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("VAULT_IDLE_SECONDS", 0, "accounts.E001"),
        ("VAULT_MAX_SECONDS", 60, "accounts.E001"),
        ("PUBLIC_URL", "medrec.example.org", "accounts.E002"),
        ("PUBLIC_URL", "https://medrec.example.org/portal", "accounts.E002"),
        ("MIDDLEWARE", list(reversed(settings.MIDDLEWARE)), "accounts.E003"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: Any, error: str, settings: Any) -> None:
    assert check_settings() == []
    setattr(settings, name, value)
    assert [found.id for found in check_settings()] == [error]
