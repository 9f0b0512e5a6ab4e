"""A form that grows with the records takes as many as there are to tick."""

from datetime import timedelta

import pytest
from django.utils import timezone

from records.models import Record
from records.services import scopes
from tests.bench import listing
from tests.people import PASSWORD
from tests.records.web.conftest import Clinic, Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MANY = 1001  # one more than Django takes by itself


def test_more_than_a_thousand_single_records_are_shared(
    clinic: Clinic, patient: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("EMAIL", patient.user.email), ("PASSWORD", PASSWORD), ("RECORDS", MANY)):
        monkeypatch.setattr(listing, name, value)
    listing.fill()
    fields = {
        "what": "records",
        "records": list(Record.objects.filter(patient=patient.address).values_list("record", flat=True)),
        "permissions": "read",
        "expires_at": (timezone.localdate() + timedelta(days=9)).isoformat(),
        "via": clinic.institution.address,
    }
    path = f"/sharing/new/?grantee={clinic.doctor.address}"
    page = patient.client.post(path, fields)
    assert page.status_code == 200
    assert f"{MANY} messages to sign" in page.content.decode()
    monkeypatch.setattr(scopes, "SINGLE_MAX", MANY - 1)
    refused = patient.client.post(path, fields)
    assert refused.status_code == 400
    assert "or a folder or a selection" in refused.content.decode()
