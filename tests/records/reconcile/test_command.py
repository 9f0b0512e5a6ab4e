"""`manage.py reconcile`: what it prints, how it ends, and what it never says."""

import io
import json
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.models import Admission, Affiliation, PublishedKey
from records.models import Blob, Grant, Version
from records.services.reconciling import CHECKS, checks
from tests.records.reconcile.story import Story, content_of, file_of, version_of

GRANTS = next(check for check in CHECKS if check.id == "R307")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """Somebody looks."""
        return True


def run(story: Story, *options: str, code: int = 0) -> str:
    """Return its output. It has to end with this exit code."""
    out = io.StringIO()
    ended = 0
    try:
        call_command("reconcile", *options, f"--from-block={story.first}", "--patience=0", stdout=out)
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    return out.getvalue()


def test_nothing_differs(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(story, "--deep") == f"{len(CHECKS)} checks: no difference.\n"
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    assert all(line.endswith(" compared") for line in lines)


def test_a_difference_is_listed_and_counted_and_ends_with_1(story: Story) -> None:
    cid = content_of(story.record)
    file_of(cid).unlink()
    said = run(story, code=1).splitlines()
    assert said == [
        f"R101 content {cid}: is not in the store (version 1 of {story.record})",
        "R101: 1 found (contents are missing, not pinned or damaged)",
    ]


def test_what_no_repair_mends_has_a_remedy(story: Story) -> None:
    Grant.objects.filter(ended="").update(permissions=3)
    said = run(story, "R307", code=1).splitlines()
    assert said[-2:] == [f"R307: 3 found ({GRANTS.title})", f"      {GRANTS.remedy}"]
    assert "manage.py resync" in GRANTS.remedy


def test_what_is_repaired_is_said_and_ends_with_0(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).delete()
    assert "(can be repaired)" in run(story, "R1", code=1)
    first, last = run(story, "R1", "--repair").splitlines()
    assert first.endswith(": copied into the database")
    assert last == "R102: 1 found, 1 repaired (descriptions are missing)"
    assert run(story, "R1") == "4 checks: no difference.\n"


def test_json(story: Story) -> None:
    file_of(content_of(story.record)).unlink()
    said: dict[str, Any] = json.loads(run(story, "--json", code=1))
    assert said["left"] == 1
    assert said["block"] > story.first
    assert [check["id"] for check in said["checks"]] == [check.id for check in CHECKS]
    (finding,) = next(check for check in said["checks"] if check["id"] == "R101")["findings"]
    assert finding == {
        "subject": f"content {content_of(story.record)}",
        "what": f"is not in the store (version 1 of {story.record})",
        "note": False,
        "foreign": False,
        "acknowledged": False,
        "repairable": False,
        "repaired": None,
        "failed": None,
    }


def test_a_terminal_sees_one_line_that_goes(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    run(story, "C1")
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "C101 the archive of events differs from the node: 0" in terminal.getvalue()


def test_an_unknown_check_is_refused(story: Story) -> None:
    with pytest.raises(CommandError, match="There is no check X9") as refused:
        run(story, "X9")
    assert refused.value.returncode == 2


def test_a_node_that_is_down_is_no_difference(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHAIN_RPC_URL", "http://127.0.0.1:1")
    with pytest.raises(CommandError, match="cannot be compared now") as refused:
        run(story)
    assert refused.value.returncode == 2


def test_no_name_no_address_and_no_medical_word_is_printed(story: Story) -> None:
    for model in (Version, Grant, Affiliation, Admission, PublishedKey, Blob):
        model._base_manager.all().delete()
    said = run(story, "--json", code=1).lower()
    secrets = [story.patient.address, story.clinic.via, story.clinic.doctor.address]
    secrets += ["ada moss", "dana reed", "ruby", "blood", "sugar", "report.pdf", "example.org"]
    assert len(said) > 1000
    assert [word for word in secrets if word.lower() in said] == []


def test_every_check_has_an_id_of_its_own_and_can_be_chosen() -> None:
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    assert [check.id for check in checks(["C1", "R403"])] == ["C101", "C102", "C103", "R403"]
