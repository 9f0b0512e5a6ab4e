"""Every Celery task run twice, and in two processes at once: one effect."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random
from typing import Any

from allauth.account.models import EmailAddress
from celery import current_app
from django.db import transaction

from accounts.models import Errand, Notification, User
from accounts.notifications import notify
from chain.acts.messages import folder_scope
from chain.keys.ecdsa import address_of_key
from records.content import keep_blob
from records.crypto.envelopes import Purpose
from records.models import Blob, Envelope, EnvelopeList
from records.services.holders import REKEY
from tests.faults.world import World

_ACTS = 10
_PROCESSES = 2
_TIMES = 2
_SECONDS = 60
# What tasks are given; the others take nothing.
_ARGUMENTS: dict[str, Callable[[], list[str]]] = {
    "accounts.tasks.tell_sign_in_locked": lambda: ["nobody@example.org"],
}


def tasks_twice(world: World, rounds: int) -> None:
    """A round: fresh work for every task, then each of them."""
    names = task_names()
    for _ in range(rounds):
        world.accept(_ACTS)
        world.ask(_leave_work, world.random.getrandbits(64))
        for name in names:
            start = get_context("fork").Barrier(_PROCESSES)
            for child in [world.start(_run_task, name, start) for _ in range(_PROCESSES)]:
                child.wait(_SECONDS)
    problems = world.ask(_check_work, world.folder / "mail", rounds)
    assert not problems, "; ".join(problems)


def task_names() -> list[str]:
    """Every task of the portal's own apps."""
    current_app.loader.import_default_modules()
    return sorted(
        name for name in current_app.tasks if name.split(".")[0] in ("chain", "accounts", "records")
    )


def _run_task(name: str, start: Barrier) -> None:
    arguments = _ARGUMENTS.get(name, list)()
    start.wait(_SECONDS)
    for _ in range(_TIMES):
        current_app.tasks[name].apply(args=arguments, throw=True)


def _leave_work(seed: int) -> None:
    """A mail to send, and an envelope of a grant that has ended."""
    random = Random(seed)
    patient, friend = (address_of_key(random.randbytes(32)) for _ in range(2))
    user, _ = User.objects.get_or_create(email="ada@example.org", defaults={"name": "Ada"})
    verified = {"email": user.email, "verified": True, "primary": True}
    EmailAddress.objects.get_or_create(user=user, defaults=verified)
    with transaction.atomic():
        notify(user, "access_ended")
        digest = keep_blob(random.randbytes(200))
        listed = EnvelopeList.objects.create(
            digest=digest, purpose=Purpose.FOLDER, sender=patient, patient=patient, scope=folder_scope(1)
        )
        Envelope.objects.create(
            list=listed,
            recipient=friend,
            key_digest=digest,
            digest=keep_blob(random.randbytes(300)),
            verified=True,
        )


def _check_work(mail: Path, rounds: int) -> list[str]:
    """Return the pieces of work that were not done just once."""
    sent = sum(file.read_text().count("\nSubject: ") for file in mail.iterdir())
    errands = Errand.objects.filter(kind=REKEY, state=Errand.State.OPEN).count()
    counted: dict[str, tuple[Any, Any]] = {
        "mails": (sent, rounds),
        "mails not marked sent": (Notification.objects.filter(sent_at=None).count(), 0),
        "envelopes erased": (Envelope.objects.exclude(deleted_at=None).count(), rounds),
        "errands left": (errands, rounds),
        "blobs stored": (Blob.objects.filter(state=Blob.State.STORED).count(), rounds),
        "blobs deleted": (Blob.objects.filter(state=Blob.State.DELETED).count(), rounds),
    }
    return [f"{what}: {is_} instead of {due}" for what, (is_, due) in counted.items() if is_ != due]
