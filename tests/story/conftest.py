"""A portal for each part of the story, and browsers."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import chromium
from tests.story.portal import StoryPortal

__all__ = ["chromium", "portal"]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryPortal]:
    """The real system, without a demo, in a folder of its own."""
    running = StoryPortal(tmp_path_factory.mktemp("story"))
    running.start()
    yield running
    running.stop()
