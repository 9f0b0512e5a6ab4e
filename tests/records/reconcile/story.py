"""A story that leaves something of every kind, and the reading of what reconciling finds in it."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.actor import Actor
from chain.models import Cursor
from chain.reconcile.run import Finding, Result, RunOptions, reconcile
from records.content import settle_blobs
from records.models import Version, ViewLog
from records.services import inbox, reading, requests, revocations
from records.services.anchoring import anchor_views
from records.services.reconciling import CHECKS
from records.storage import Cid
from tests.chain_node import ChainNode
from tests.people import make_patient
from tests.records.conftest import Clinic, grant, make_clinic, run_errands, select_all, upload

ELSEWHERE = "0x" + "1" * 40
OTHER = "0x" + "22" * 32


@dataclass
class Story:
    """Who took part, and the block before it began."""

    chain: ChainNode
    clinic: Clinic
    patient: Actor
    record: str
    second: str
    letter: str
    first: int

    def options(self, *, deep: bool = False) -> RunOptions:
        """At everything of this story."""
        return RunOptions(self.first, deep)

    def settle(self) -> None:
        """Everything that waits, for the chain and for the store."""
        self.chain.settle()
        settle_blobs()

    def found(self, *, deep: bool = False, repair: bool = False) -> dict[str, Result]:
        """The results with findings, by check."""
        results = reconcile(CHECKS, self.options(deep=deep), repair=repair)
        return {done.check.id: done for done in results if done.findings}

    def the_one(self, check: str, *, deep: bool = False) -> Finding:
        """The only finding of all checks."""
        found = self.found(deep=deep)
        assert set(found) == {check}, found
        (finding,) = found[check].findings
        return finding

    def mended(self, check: str, *, deep: bool = False) -> None:
        """A repair says what it did, and no difference is left."""
        done = self.found(deep=deep, repair=True)[check]
        assert all(done.repaired.values())
        left = {name: found for name, found in self.found(deep=deep).items() if found.left}
        assert left == {}


class Kept:
    """A story with all its rows and files, to begin many tests with: telling it takes seconds."""

    def __init__(self, story: Story, files: Path, folder: Path) -> None:
        self.story = story
        self._files = shutil.copytree(files, folder)
        self._rows = {model: list(model._base_manager.all()) for model in models()}

    def restore(self, files: Path) -> Story:
        """Put the same rows into this test's database, and the same files into its store."""
        shutil.copytree(self._files, files)
        for model, rows in self._rows.items():
            model._base_manager.bulk_create(rows)
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), list(self._rows)):
                cursor.execute(statement)
        return self.story


def models() -> list[type[Model]]:
    """Every table that a story writes."""
    labels = ("accounts", "chain", "records", "account")
    return [
        model
        for label in labels
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]


def tell_story(chain: ChainNode) -> Story:
    """Two records, a letter filed from the inbox; grants of all scopes, one revoked; a look, anchored."""
    first = Cursor.objects.get().applied + 1
    clinic, other, patient = (
        make_clinic(chain),
        make_clinic(chain, "Jade Practice", "Omar Finch"),
        make_patient(),
    )
    chain.settle()
    record, second = upload(patient).record, upload(patient, title="Sugar", data=b"7.1 mmol/l").record
    letter = upload(clinic.doctor, patient=patient.address, via=clinic.via, title="Letter").record
    asked = requests.request_access(
        actor=clinic.doctor,
        patient=patient.address,
        via=clinic.via,
        purpose="TREAT",
        kinds=[],
        permissions="read",
        days=30,
        note="",
    )
    chain.settle()
    inbox.file_record(actor=patient, record=letter, folder=1)
    grant(patient, clinic.doctor.address, clinic.via, request=asked.id)
    grant(patient, clinic.via, clinic.via, folders=(), records=(record,))
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    revocations.revoke_access(actor=patient, grantee=other.doctor.address, via=other.via, scope=f"0x{1:064x}")
    select_all(patient, other.doctor.address, other.via)
    chain.settle()
    for actor in (patient, clinic.manager, other.manager):
        run_errands(actor)
    reading.open_content(actor=clinic.doctor, record=record)
    ViewLog.objects.update(at=timezone.now() - timedelta(hours=2))
    anchor_views()
    chain.settle()
    story = Story(chain, clinic, patient, record, second, letter, first)
    story.settle()
    return story


def version_of(record: str) -> Version:
    """The newest version."""
    return Version.objects.filter(record=record).latest("version")


def content_of(record: str) -> Cid:
    """The newest version's content."""
    version = version_of(record)
    return Cid.from_digest(version.content, dag_pb=bool(version.flags & 1))


def file_of(cid: Cid) -> Path:
    """Return the path of its file in the local store."""
    return settings.STORE_PATH / "objects" / cid.digest[:1].hex() / str(cid)
