"""Measurements as records: saved once, shown to whom the record is, gathered, logged."""

import json
import uuid
from datetime import date
from decimal import Decimal

import pytest

from accounts.actor import Actor, VaultClosed
from chain.models import Act
from records.errors import AccessRefused, Conflict, InvalidInput
from records.kinds import MEASUREMENTS
from records.models import ViewLog
from records.observations.model import Amount, Observation, Part
from records.observations.moments import parse_moment
from records.services import documents, observations, reading, revocations
from records.services.observations import Saving
from records.shapes import RecordView
from tests.chain_node import ChainNode
from tests.records.conftest import Clinic, grant, upload
from tests.records.observations.test_reading import WEIGHT, bundle, weight

pytestmark = pytest.mark.django_db

SCOPE = f"0x{1:064x}"


def measured(value: str, when: str = "2026-03-01") -> Observation:
    """A weight."""
    part = Part("29463-7", "Body weight", Amount(Decimal(value), unit="kg", unit_code="kg"))
    return Observation("29463-7", "Body weight", parse_moment(when), (part,))


def saving(**changes: object) -> Saving:
    """Return where it goes, with a form of its own each time."""
    values = {"title": "At home", "service_date": date(2026, 3, 1), "form": uuid.uuid4(), "folder": 1}
    return Saving(**(values | changes))  # type: ignore[arg-type]


def save(actor: Actor, *found: Observation, **changes: object) -> RecordView:
    """Save these."""
    return observations.add_observations(actor=actor, saving=saving(**changes), observations=found)


def figures(actor: Actor, patient: Actor, via: str | None = None) -> list[str]:
    """Every figure of the first series."""
    gathered = observations.gather_observations(actor=actor, patient=patient.address, via=via)
    return [row.figures for series in gathered.series for row in series.rows]


def test_measurements_are_a_record_like_any_other(chain: ChainNode, patient: Actor) -> None:
    view = save(patient, measured("70.50"))
    chain.settle()
    view = documents.get_record(actor=patient, record=view.record)
    assert (view.kind, view.media_type, view.state) == (MEASUREMENTS, "application/fhir+json", "confirmed")
    found = observations.read_record(actor=patient, view=view)
    assert found is not None
    assert found.observations == [measured("70.50")]
    opened = reading.open_content(actor=patient, record=view.record)
    content = b"".join(opened.iterate(0, opened.size))
    assert json.loads(content)["resourceType"] == "Bundle"
    assert patient.address.encode() not in content
    assert b"subject" not in content


def test_the_same_form_sent_twice_is_one_record_and_a_changed_one_another(patient: Actor) -> None:
    form = uuid.uuid4()
    first = save(patient, measured("70"), form=form)
    assert save(patient, measured("70"), form=form).record == first.record
    assert save(patient, measured("71"), form=form).record != first.record
    assert Act.objects.filter(kind="NewRecord").count() == 2


def test_mended_values_are_the_next_version_and_the_former_stays(chain: ChainNode, patient: Actor) -> None:
    record = save(patient, measured("70")).record
    chain.settle()
    view = documents.get_record(actor=patient, record=record)
    assert observations.editable(actor=patient, view=view) == [measured("70")]
    save(patient, measured("71"), replaces=record)
    chain.settle()
    assert figures(patient, patient) == ["71"]
    view = documents.get_record(actor=patient, record=record)
    former = observations.read_record(actor=patient, view=view, version=1)
    assert former is not None
    assert former.observations == [measured("70")]


def test_a_bundle_is_kept_byte_for_byte_and_not_offered_to_the_form(patient: Actor) -> None:
    data = bundle(weight(category=[{"text": "vital signs"}]), {"resourceType": "Patient"})
    view = observations.add_bundle(actor=patient, saving=saving(), data=data)
    opened = reading.open_content(actor=patient, record=view.record)
    assert b"".join(opened.iterate(0, opened.size)) == data
    found = observations.read_record(actor=patient, view=view)
    assert found is not None
    assert (len(found.observations), found.not_shown) == (1, 1)
    with pytest.raises(Conflict, match="not made by the form"):
        observations.editable(actor=patient, view=view)


TWO_PEOPLE = bundle(*[weight(subject={"reference": f"Patient/{name}"}) for name in ("one", "two")])


def test_what_cannot_be_read_of_a_file_does_not_lose_the_rest(patient: Actor) -> None:
    data = bundle(weight(), weight(effectiveDateTime="soon"), weight())
    view = observations.add_bundle(actor=patient, saving=saving(), data=data)
    read = observations.read_record(actor=patient, view=view)
    assert read is not None
    assert (len(read.observations), read.measured) == (2, 3)
    assert read.problems[0].startswith("Entry 2, effectiveDateTime")


def test_ndjson_is_kept_as_such_and_read(chain: ChainNode, patient: Actor) -> None:
    data = b"\n".join(json.dumps(weight(effectiveDateTime=f"2026-0{n}-01")).encode() for n in (1, 2))
    view = observations.add_bundle(actor=patient, saving=saving(), data=data)
    chain.settle()
    view = documents.get_record(actor=patient, record=view.record)
    assert (view.media_type, view.file_name) == ("application/fhir+ndjson", "measurements.ndjson")
    assert figures(patient, patient) == ["70", "70"]


def test_two_people_in_an_uploaded_file_share_no_line(chain: ChainNode, patient: Actor) -> None:
    view = upload(patient, data=TWO_PEOPLE, file_name="both.json")
    chain.settle()
    read = observations.read_record(actor=patient, view=view)
    assert read is not None
    assert read.observations == []
    assert "2 people" in read.problems[0]
    gathered = observations.gather_observations(actor=patient, patient=patient.address)
    assert (gathered.series, [one.record for one in gathered.unreadable]) == ([], [view.record])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bundle(weight(status=None)), "Entry 1, status"),
        (bundle(), "no observation"),
        (b"%PDF", "not JSON"),
        (TWO_PEOPLE, "2 people"),
    ],
)
def test_a_wrong_bundle_is_refused_and_nothing_kept(patient: Actor, data: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        observations.add_bundle(actor=patient, saving=saving(), data=data)
    assert documents.list_records(actor=patient, patient=patient.address) == []


def test_an_uploaded_file_is_shown_by_what_it_holds(chain: ChainNode, patient: Actor) -> None:
    pdf = upload(patient)
    assert observations.read_record(actor=patient, view=pdf) is None
    chain.settle()
    assert figures(patient, patient) == []
    observations.add_bundle(actor=patient, saving=saving(), data=json.dumps(WEIGHT).encode())
    chain.settle()
    assert figures(patient, patient) == ["70"]


def test_a_doctor_adds_and_reads_within_the_grant_and_it_is_logged_once(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    own = save(patient, measured("70", "2026-01-01")).record
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    chain.settle()
    save(clinic.doctor, measured("72", "2026-02-01"), patient=patient.address, via=clinic.via)
    chain.settle()
    for _ in range(2):
        assert figures(clinic.doctor, patient, clinic.via) == ["72", "70"]
    looks = ViewLog.objects.filter(what=ViewLog.What.CONTENT)
    assert looks.count() == 2
    assert looks.get(record=own).via == clinic.via
    assert figures(patient, patient) == ["72", "70"]
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    with pytest.raises(AccessRefused):
        figures(clinic.doctor, patient, clinic.via)
    assert looks.count() == 2


def test_what_lies_in_the_inbox_or_is_closed_is_in_no_trend(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    left = save(clinic.doctor, measured("99"), patient=patient.address, via=clinic.via, folder=None).record
    closed = save(patient, measured("98")).record
    save(patient, measured("70"))
    chain.settle()
    documents.close_record(actor=patient, record=closed)
    assert figures(patient, patient) == ["70"]
    with pytest.raises(AccessRefused):
        figures(clinic.doctor, patient, clinic.via)
    documents.move_record(actor=patient, record=left, folder=1)
    chain.settle()
    assert sorted(figures(patient, patient)) == ["70", "99"]


def test_the_newest_records_are_read_and_the_others_counted(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "RECORDS_MAX", 2)
    for month in (1, 2, 3):
        save(patient, measured(f"7{month}"), service_date=date(2026, month, 1))
    chain.settle()
    gathered = observations.gather_observations(actor=patient, patient=patient.address)
    assert (gathered.records, gathered.older) == (2, 1)
    assert [row.figures for row in gathered.series[0].rows] == ["73", "72"]


def test_a_closed_vault_saves_and_shows_nothing(patient: Actor) -> None:
    save(patient, measured("70"))
    shut = Actor(user=patient.user, account=patient.account, open_bundle=lambda: None)
    with pytest.raises(VaultClosed):
        save(shut, measured("70"))
    with pytest.raises(VaultClosed):
        observations.gather_observations(actor=shut, patient=patient.address)
