"""Measurements over the API, flat: a row for each value. As FHIR they are the contents of their records."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer, checked
from records.api.shapes import VersionQuery, WhoseQuery
from records.errors import NotFound
from records.observations.model import Part
from records.observations.series import Row, Source, row_of
from records.services import documents, observations


class ValueShape(serializers.Serializer):  # type: ignore[type-arg]
    """A value; `value` is the decimal with every digit it came with, or words where it is no number."""

    code = serializers.CharField(help_text="LOINC, or system|code; may be empty.")
    name = serializers.CharField()
    part = serializers.CharField(help_text="Which component (systolic), else empty.")
    value = serializers.CharField()
    number = serializers.BooleanField()
    comparator = serializers.CharField()
    unit = serializers.CharField()
    unit_code = serializers.CharField(help_text="UCUM, or empty.")
    when = serializers.CharField(help_text="FHIR dateTime, as exact as it was given; may be empty.")
    reference_range = serializers.CharField()
    interpretation = serializers.ListField(
        child=serializers.CharField(), help_text="The source's flags with their meanings: HH critically high."
    )
    side = serializers.CharField(help_text="above, below, or empty: by the reference range.")
    doubt = serializers.CharField(help_text="impossible, odd, or empty: a number as it hardly can be.")
    status = serializers.CharField(help_text="FHIR's.")
    future = serializers.BooleanField(help_text="Dated in the future: no chart shows it.")
    remarks = serializers.ListField(
        child=serializers.CharField(), help_text="What else the source says of the value."
    )
    note = serializers.CharField()
    record = serializers.CharField()


class ReadingShape(serializers.Serializer):  # type: ignore[type-arg]
    """What a record's file holds of measurements."""

    values = ValueShape(many=True)
    not_shown = serializers.IntegerField(help_text="Other entries of the file.")
    withdrawn = serializers.IntegerField(help_text="Cancelled, or entered in error.")
    about = serializers.CharField(help_text="The patient as the file names one; may be empty.")
    problems = serializers.ListField(child=serializers.CharField(), help_text="What is not read, and why.")


class GatheredShape(serializers.Serializer):  # type: ignore[type-arg]
    """The measurements of a patient's newest records, by series, the newest first."""

    values = ValueShape(many=True)
    records = serializers.IntegerField(help_text="Records that were read.")
    older = serializers.IntegerField(help_text="Records beyond the limit, not read.")
    unreadable = serializers.ListField(child=serializers.CharField(), help_text="Records not read in full.")
    births = serializers.ListField(
        child=serializers.CharField(),
        help_text="Dates of birth that the files name: with more than one, a file is about somebody else.",
    )


class OfRecord(ActorView):
    """The measurements of one record."""

    @extend_schema(operation_id="record_observations", parameters=[VersionQuery], responses=ReadingShape)
    def get(self, request: Request, record: str) -> Response:
        """404 where its file is no FHIR JSON. The patient sees that it was opened."""
        version = checked(VersionQuery, request.query_params).get("version")
        view = documents.get_record(actor=self.actor, record=record)
        found = observations.read_record(actor=self.actor, view=view, version=version)
        if found is None:
            raise NotFound("There are no measurements in this record.")
        source = Source(record, view.title, view.author_name)
        values = [
            _value(row_of(one, one.parts, source), part, one.code, one.name, one.single is not None)
            for one in found.observations
            for part in one.parts
        ]
        body = {
            "values": values,
            "not_shown": found.not_shown,
            "withdrawn": found.withdrawn,
            "about": found.about,
            "problems": found.problems,
        }
        return answer(ReadingShape, body)


class OfPatient(ActorView):
    """The measurements of a patient."""

    @extend_schema(operation_id="list_observations", parameters=[WhoseQuery], responses=GatheredShape)
    def get(self, request: Request) -> Response:
        """One's own, or those that a patient granted. The patient sees which records were opened."""
        query = checked(WhoseQuery, request.query_params)
        patient = query.get("patient", self.actor.address)
        found = observations.gather_observations(actor=self.actor, patient=patient, via=query.get("via"))
        values = [
            _value(row, part, part.code, series.name)
            for series in found.series
            for row in series.rows
            for part in row.parts
        ]
        unreadable = [view.record for view in found.unreadable]
        body = {
            "values": values,
            "records": found.records,
            "older": found.older,
            "unreadable": unreadable,
            "births": found.births,
        }
        return answer(GatheredShape, body)


def _value(row: Row, part: Part, code: str, name: str, single: bool = False) -> dict[str, Any]:
    amount = part.amount
    return {
        "code": part.code or code,
        "name": name,
        "part": part.name if part.name != name and not single else "",
        "value": amount.words if amount.number is None else f"{amount.number:f}",
        "number": amount.number is not None,
        "comparator": amount.comparator,
        "unit": amount.unit,
        "unit_code": amount.unit_code,
        "when": row.when.text if row.when else "",
        "reference_range": str(part.range or ""),
        "interpretation": [str(flag) for flag in (*row.whole_flags, *part.flags)],
        "side": part.side,
        "doubt": part.doubt,
        "status": row.status,
        "future": row.ahead,
        "remarks": [*row.whole_remarks, *part.remarks],
        "note": row.note,
        "record": row.source.record,
    }
