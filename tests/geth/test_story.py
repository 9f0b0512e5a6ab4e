"""The story over the API once more, on a second, independent client of Ethereum.

The steps are those of tests/story/test_api.py. The portal is this folder's.
"""

from tests.story.test_api import *  # noqa: F403
