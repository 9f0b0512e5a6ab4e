"""The queue in a folder: whoever looks at it finds whole messages or none."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.exceptions import ChannelError
from kombu.simple import SimpleQueue

from medrec.file_queue import Transport


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SimpleQueue]:
    """A queue as medrec.settings sets it up."""
    folders = {
        "data_folder_in": tmp_path,
        "data_folder_out": tmp_path,
        "control_folder": tmp_path / "control",
    }
    with Connection("filesystem://", transport_options=folders) as connection:
        assert isinstance(connection.transport, Transport)
        yield connection.SimpleQueue("celery")


def test_a_message_is_not_there_before_it_is_whole(
    queue: SimpleQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, replace = [], Path.replace

    def watched(draft: Path, file: Path) -> None:
        with pytest.raises(queue.Empty):
            queue.get(block=False)
        looked.append(file)
        replace(draft, file)

    monkeypatch.setattr(Path, "replace", watched)
    queue.put({"a task": 1})
    assert looked
    message = queue.get(block=False)
    assert message.payload == {"a task": 1}
    message.ack()


def test_an_exchange_is_not_there_before_it_can_be_read(
    queue: SimpleQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel: Any = queue.channel
    linked = []

    def watched(draft: Path, file: Path) -> None:
        assert channel.get_table("late") == []
        linked.append(file)
        link(draft, file)
        assert channel.get_table("late") == []

    link = os.link
    monkeypatch.setattr(os, "link", watched)
    channel._queue_bind("late", "key", "", "celery")
    assert linked == [tmp_path / "control" / "late.exchange"]
    assert [bound.queue for bound in channel.get_table("late")] == ["celery"]


def test_a_full_disk_leaves_no_draft(queue: SimpleQueue, tmp_path: Path) -> None:
    """A hundred of them were left for good."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # no file grows over this
    try:
        with pytest.raises(ChannelError):
            queue.channel._put("celery", {"more": "than ten bytes"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("*.draft"))
    queue.channel._put("celery", {"more": "than ten bytes"})
    assert queue.channel._get("celery") == {"more": "than ten bytes"}
