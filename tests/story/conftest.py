"""A portal for each part of the story."""

from collections.abc import Iterator

import pytest

from tests.story.portal import StoryPortal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryPortal]:
    """The real system, without a demo, in a folder of its own."""
    running = StoryPortal(tmp_path_factory.mktemp("story"))
    running.start()
    yield running
    running.stop()
