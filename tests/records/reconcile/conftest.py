"""The story that every test here begins with. What a test does to it is gone in the next."""

from pathlib import Path

import pytest

from tests.chain_node import ChainNode, read_from_head
from tests.records.reconcile.story import Kept, Story, tell_story

_kept: list[Kept] = []


@pytest.fixture
def story(
    chain_node: ChainNode, db: None, store_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    """Told once a process, then begun with again."""
    del db
    if not _kept:
        read_from_head()
        told = tell_story(chain_node)
        _kept.append(Kept(told, store_folder, tmp_path_factory.mktemp("kept") / "store"))
        return told
    return _kept[0].restore(store_folder)
