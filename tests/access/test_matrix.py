"""One table of who may list, open and write, by service and over the API: every standing, every door.

The world is made once per test of a standing. Each standing is asked all questions.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actor import Actor
from accounts.services import admissions, affiliations, signup, tokens
from records import access
from records.errors import AccessRefused, RecordsError
from records.models import Grant, Holding, Record
from records.observations.model import Amount, Observation, Part
from records.services import documents, observations, previews, reading, revocations, uploads
from records.services.observations import Saving
from tests.chain_node import ChainNode
from tests.people import PASSWORD, make_patient
from tests.records.conftest import FILE, LABORATORY, Clinic, grant, make_clinic, upload

pytestmark = pytest.mark.django_db

SCOPE = f"0x{1:064x}"


@dataclass
class World:
    """A patient with a confirmed record, and who asks."""

    chain: ChainNode
    patient: Actor
    clinic: Clinic
    record: str
    measured: str
    via: str

    def give(self, *, permissions: str = "read") -> None:
        """A confirmed grant to the doctor, through the clinic."""
        grant(self.patient, self.clinic.doctor.address, self.clinic.via, permissions=permissions)
        self.chain.settle()


def owner(world: World) -> Actor:
    world.via = ""
    return world.patient


def granted_reader(world: World) -> Actor:
    world.give()
    return world.clinic.doctor


def granted_writer(world: World) -> Actor:
    world.give(permissions="write")
    return world.clinic.doctor


def institution_granted(world: World) -> Actor:
    grant(world.patient, world.clinic.via, world.clinic.via)
    world.chain.settle()
    return world.clinic.doctor


def other_institution(world: World) -> Actor:
    world.give()
    other = make_clinic(world.chain, "Jade Practice", "Omar Finch")
    world.via = other.via
    return other.doctor


def through_another(world: World) -> Actor:
    """The granted doctor, but acting through an institution that the grant does not name."""
    world.give()
    world.via = world.patient.address
    return world.clinic.doctor


def suspended(world: World) -> Actor:
    world.give(permissions="write")
    admissions.admit_institution(institution=world.clinic.institution, admitted=False)
    return world.clinic.doctor


def left(world: World) -> Actor:
    world.give(permissions="write")
    affiliations.leave_institution(actor=world.clinic.doctor, institution=world.clinic.institution)
    return world.clinic.doctor


def expired(world: World) -> Actor:
    world.give(permissions="write")
    Grant.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    return world.clinic.doctor


def not_yet(world: World) -> Actor:
    world.give(permissions="write")
    Grant.objects.update(not_before=timezone.now() + timedelta(hours=1))
    return world.clinic.doctor


def revoked(world: World) -> Actor:
    world.give(permissions="write")
    revocations.revoke_access(
        actor=world.patient, grantee=world.clinic.doctor.address, via=world.clinic.via, scope=SCOPE
    )
    return world.clinic.doctor


def unconfirmed(world: World) -> Actor:
    grant(world.patient, world.clinic.doctor.address, world.clinic.via, permissions="write")
    return world.clinic.doctor


def never_granted(world: World) -> Actor:
    return world.clinic.doctor


def manager(world: World) -> Actor:
    world.give()
    return world.clinic.manager


def stranger(world: World) -> Actor:
    world.via = ""
    return make_patient("Eve Hill")


STANDINGS: list[tuple[Callable[[World], Actor], bool, bool]] = [
    (owner, True, True),
    (granted_reader, True, False),
    (granted_writer, True, True),
    (institution_granted, True, False),
    (other_institution, False, False),
    (through_another, True, False),
    (suspended, False, False),
    (left, False, False),
    (expired, False, False),
    (not_yet, False, False),
    (revoked, False, False),
    (unconfirmed, False, False),
    (never_granted, False, False),
    (manager, False, False),
    (stranger, False, False),
]


@pytest.fixture
def world(chain: ChainNode, patient: Actor, clinic: Clinic) -> World:
    """The record, confirmed; nothing granted."""
    record = upload(patient).record
    saving = Saving("Weight", None, uuid.uuid4(), folder=1)
    measured = observations.add_observations(actor=patient, saving=saving, observations=[weighed("70.25")])
    chain.settle()
    return World(chain, patient, clinic, record, measured.record, clinic.via)


@pytest.mark.parametrize(
    ("standing", "reads", "writes"), STANDINGS, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_standing_at_every_door(
    world: World, standing: Callable[[World], Actor], reads: bool, writes: bool
) -> None:
    actor = standing(world)
    _module_answers(world, actor, reads=reads, writes=writes)
    assert _works(lambda: reading.open_content(actor=actor, record=world.record)) is reads
    assert _works(lambda: _look(world, actor)) is reads
    assert _works(lambda: documents.get_record(actor=actor, record=world.record)) is reads
    assert _works(lambda: _describe(world, actor)) is writes
    assert _works(lambda: _mend(world, actor)) is writes
    _api_answers(world, actor, reads=reads, writes=writes)
    _measurements_answer(world, actor, reads=reads, writes=writes)


def _module_answers(world: World, actor: Actor, *, reads: bool, writes: bool) -> None:
    """The question about one object and the question about all never disagree."""
    assert access.can_read(actor, world.record) is reads
    assert access.can_write(actor, world.record) is writes
    assert (world.record in set(access.readable_by(actor).values_list("pk", flat=True))) is reads
    assert (world.record in set(access.writable_by(actor).values_list("pk", flat=True))) is writes
    patient = world.patient.address
    assert access.can_write_folder(actor, patient=patient, folder=1, via=world.via) is writes


def _api_answers(world: World, actor: Actor, *, reads: bool, writes: bool) -> None:
    _, secret = tokens.make_token(actor=actor, name="matrix", scope="act", days=1)
    client, auth = Client(), {"authorization": f"Bearer {secret}"}
    content = client.get(f"/api/v1/records/{world.record}/content", headers=auth)
    assert (content.status_code == 200) is reads
    if reads:
        assert b"".join(content.streaming_content) == FILE  # type: ignore[attr-defined]
    else:
        assert content.status_code in (403, 404)
        assert b"Blood" not in content.content
    asked = client.get(f"/api/v1/records?patient={world.patient.address}", headers=auth)
    assert (asked.status_code == 200) is reads
    body = {"title": "Over the API", "kind": LABORATORY, "via": world.via}
    mended = client.patch(
        f"/api/v1/records/{world.record}", body, headers=auth, content_type="application/json"
    )
    assert (mended.status_code == 200) is writes
    assert writes or mended.status_code in (403, 404)


def _measurements_answer(world: World, actor: Actor, *, reads: bool, writes: bool) -> None:
    """Trends, a record's table, mending: they ask as reading and writing do, and give no value otherwise."""
    _, secret = tokens.make_token(actor=actor, name="measured", scope="act", days=1)
    client, auth = Client(), {"authorization": f"Bearer {secret}"}
    for path in (f"observations?patient={world.patient.address}", f"records/{world.measured}/observations"):
        answer = client.get(f"/api/v1/{path}", headers=auth)
        assert (answer.status_code == 200) is reads
        assert (b"70.25" in answer.content) is reads
    saving = Saving(
        "Mended", None, uuid.uuid4(), patient=world.patient.address, via=world.via, replaces=world.measured
    )
    assert _works(lambda: _save(actor, saving)) is writes
    asked = {"patient": world.patient.address}
    found = client.post("/api/v1/records/search", asked, headers=auth, content_type="application/json")
    assert (found.status_code == 200) is reads


def _save(actor: Actor, saving: Saving) -> None:
    observations.add_observations(actor=actor, saving=saving, observations=[weighed("71")])


def weighed(value: str) -> Observation:
    part = Part("29463-7", "Body weight", Amount(Decimal(value), unit="kg", unit_code="kg"))
    return Observation(part.code, part.name, None, (part,))


def _look(world: World, actor: Actor) -> None:
    previews.begin_preview(actor=actor, record=world.record, version=1)
    previews.continue_preview(actor=actor, record=world.record, version=1)


def _describe(world: World, actor: Actor) -> None:
    uploads.describe_upload(
        actor=actor,
        patient=world.patient.address,
        title="Another",
        kind=LABORATORY,
        service_date=None,
        folder=1,
        via=world.via,
        file_name="another.pdf",
        size=5,
    )


def _mend(world: World, actor: Actor) -> None:
    documents.modify_description(
        actor=actor, record=world.record, title="Mended", kind=LABORATORY, service_date=None, via=world.via
    )


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except RecordsError:
        return False
    return True


def test_nobody_is_refused_everything(world: World) -> None:
    assert not access.can_read(None, world.record)
    assert not access.can_write(None, world.record)
    assert not access.readable_by(None).exists()
    assert not access.can_write_folder(None, patient=world.patient.address, folder=1)
    answer = Client().get(f"/api/v1/records/{world.record}")
    assert answer.status_code == 401


def test_an_administrator_sees_rows_and_opens_nothing(world: World) -> None:
    admin = signup.create_administrator(
        email="root@example.org", name="Root", password="correct horse battery"
    )
    client = Client()
    client.force_login(admin)
    page = client.get(f"/admin/records/record/{world.record}/change/")
    assert page.status_code == 200
    assert b"Blood report" not in page.content
    assert client.get(f"/api/v1/records/{world.record}/content").status_code == 401
    assert client.post(f"/admin/records/record/{world.record}/delete/", {"post": "yes"}).status_code == 403
    assert Record.objects.filter(pk=world.record).exists()


def test_where_files_are_kept_is_for_administrators_and_for_the_patient(world: World) -> None:
    pages = [f"/admin/records/{table}/" for table in ("holding", "pinnode", "replica")]
    admin, patient = Client(), Client()
    admin.force_login(signup.create_administrator(email="r@example.org", name="R", password=PASSWORD))
    patient.force_login(world.patient.user)
    for page in pages:
        assert admin.get(page).status_code == 200
        assert admin.post(f"{page}add/", {}).status_code == 403
        assert patient.get(page).status_code == 302
    row = f"/admin/records/holding/{Holding.objects.exclude(record='').first()}"
    assert admin.get(f"{row}/change/").status_code == 200
    assert admin.post(f"{row}/delete/", {"post": "yes"}).status_code == 403


def test_an_unknown_record_is_answered_like_somebody_elses(world: World) -> None:
    eve = make_patient("Eve Hill")
    _, secret = tokens.make_token(actor=eve, name="eve", scope="act", days=1)
    client, auth = Client(), {"authorization": f"Bearer {secret}"}
    answers = [
        client.get(f"/api/v1/records/{record}", headers=auth) for record in (world.record, "0x" + "7" * 64)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_suspension_is_said_to_be_a_pause(world: World) -> None:
    doctor = suspended(world)
    with pytest.raises(AccessRefused, match="suspended"):
        documents.list_records(actor=doctor, patient=world.patient.address, via=world.via)
    with pytest.raises(AccessRefused, match="suspended"):
        documents.get_record(actor=doctor, record=world.record)
    admissions.admit_institution(institution=world.clinic.institution, admitted=True)
    world.chain.settle()
    assert documents.get_record(actor=doctor, record=world.record).readable
