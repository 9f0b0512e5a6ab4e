"""Redis goes and comes back: what was accepted meanwhile is done, and nobody has to start anything again."""

from pathlib import Path

import pytest

from tests.servers.redis import RedisServer, require_redis
from tests.story.plain import PlainVisitor
from tests.story.portal import StoryPortal

pytestmark = pytest.mark.slow

LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.txt"}


def test_what_is_accepted_while_redis_is_away_is_done_when_it_is_back(tmp_path: Path) -> None:
    with RedisServer(require_redis()) as redis:
        portal = StoryPortal(tmp_path / "portal")
        portal.settings |= {"CELERY_BROKER_URL": redis.url(0)}
        portal.start()
        try:
            visitor = PlainVisitor(portal.url, portal.mailbox, "Asha Verma", "asha@example.org")
            visitor.register()
            patient = visitor.make_token()
            patient.wait_for_state(f"records/{patient.upload(b'before', **LETTER)}", "confirmed")
            worker, beat = portal.pids("-A medrec worker"), portal.pids("-A medrec beat")
            with redis.frozen():
                record = patient.upload(b"Redis hangs", **LETTER)
            patient.wait_for_state(f"records/{record}", "confirmed")
            redis.stop()
            record = patient.upload(b"meanwhile", **LETTER)
            assert patient.get(f"records/{record}").json()["state"] == "waiting"
            redis.start()
            patient.wait_for_state(f"records/{record}", "confirmed")
            assert (portal.pids("-A medrec worker"), portal.pids("-A medrec beat")) == (worker, beat)
        finally:
            portal.stop()
