"""The page for what a service refuses."""

from typing import Any

import pytest
from django.template.loader import render_to_string

from chain.errors import ChainError
from records.errors import ChainDown, StoreDown


@pytest.mark.parametrize(
    "error",
    [
        StoreDown(),
        ChainDown(),
        ChainError("Sharing is being checked. Try again in a moment."),
        StoreDown("Away."),
    ],
)
def test_the_page_says_once_that_one_may_try_again(error: Any) -> None:
    page = render_to_string("errors/refusal.html", {"error": str(error), "status": 503})
    main = page.partition("<main")[2]
    assert "Nothing was changed." in main
    assert main.lower().count("try again") == 1
