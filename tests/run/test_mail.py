"""Mails without a mail server: people read them on the terminal, codes and links whole."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from django.core.mail.message import BadHeaderError
from django.utils import timezone

from accounts.models import Notification
from accounts.notifications import notify, queue_sealed, unsent_mails
from tests.people import make_person
from tests.run.portal import ROOT

BACKEND = "medrec.mail.TerminalEmailBackend"
LINK = "http://127.0.0.1:8000/invitations/" + "Ab3_" * 30 + "/"
TEXT = f"Grüß Gott,\n\nyour code is 123-456. Open this link = the page:\n\n{LINK}\n"


def printed(subject: str, body: str) -> str:
    """Return the terminal's text of a mail."""
    terminal = io.StringIO()
    connection = get_connection(BACKEND, stream=terminal)
    EmailMessage(subject, body, None, ["asha@patients.example"], connection=connection).send()
    return terminal.getvalue()


def test_a_mail_is_one_block_as_it_was_written() -> None:
    rule, head, text = printed("Välkommen", TEXT).partition("To: ")
    assert set(rule) == {"-", "\n"}
    assert (head + text).startswith(f"To: asha@patients.example\nSubject: Välkommen\n\n{TEXT.strip()}\n---")


def test_a_subject_of_two_lines_is_refused_as_a_mail_server_would() -> None:
    with pytest.raises(BadHeaderError):
        printed("One\nBcc: two@example.org", TEXT)


@pytest.mark.parametrize(
    ("url", "backend"),
    [("", BACKEND), ("smtp://localhost:25", "django.core.mail.backends.smtp.EmailBackend")],
)
def test_mails_are_printed_where_no_mail_server_is_set(tmp_path: Path, url: str, backend: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "EMAIL_URL"}
    environment |= {"VAR": str(tmp_path)} | ({"EMAIL_URL": url} if url else {})
    told = "from medrec import settings; print(settings.EMAIL_BACKEND)"
    said = subprocess.check_output([sys.executable, "-c", told], cwd=ROOT, env=environment, text=True)
    assert said.strip() == backend


@pytest.mark.django_db
@pytest.mark.usefixtures("chain")
def test_the_mails_of_the_demo_are_not_sent() -> None:
    user = make_person()

    def due() -> int:
        return Notification.objects.due(timezone.now()).count()

    before = due()
    with unsent_mails():
        assert notify(user, "access_answered") is not None
        queue_sealed(email="a@example.org", kind="code", subject="Code", body="1234")
    assert due() == before
    queue_sealed(email="a@example.org", kind="code", subject="Code", body="1234")
    assert due() == before + 1
