"""The portal whose every byte is searched."""

from tests.story.conftest import portal

__all__ = ["portal"]
