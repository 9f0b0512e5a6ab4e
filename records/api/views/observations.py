"""Measurements over the API, a row for each value. Their FHIR resources are the files of their records."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from records.api.base import ActorView, answer, checked
from records.api.serializers.base import PatientQuery
from records.api.serializers.observations import PatientObservationsSerializer, RecordObservationsSerializer
from records.api.serializers.records import VersionQuery
from records.errors import NotFound
from records.observations.model import Part
from records.observations.series import Row, Source, row_of
from records.services import documents, observations


class RecordObservationList(ActorView):
    """The measurements of one record."""

    @extend_schema(
        operation_id="list_record_observations",
        parameters=[VersionQuery],
        responses=RecordObservationsSerializer,
    )
    def get(self, request: Request, record_id: str) -> Response:
        """List the measurements in a record. The patient's history shows it. 404 if it has no FHIR JSON."""
        version = checked(VersionQuery, request.query_params).get("version")
        view = documents.get_record(actor=self.actor, record=record_id)
        content = observations.read_record(actor=self.actor, view=view, version=version)
        if content is None:
            raise NotFound("There are no measurements in this record.")
        source = Source(record_id, view.title, view.author_name)
        values = [
            _value(
                row_of(observation, observation.parts, source),
                part,
                observation.code,
                observation.name,
                observation.single is not None,
            )
            for observation in content.observations
            for part in observation.parts
        ]
        body = {
            "values": values,
            "not_shown_count": content.not_shown,
            "withdrawn_count": content.withdrawn,
            "subject": content.about,
            "problems": content.problems,
        }
        return answer(RecordObservationsSerializer, body)


class PatientObservationList(ActorView):
    """The measurements of a patient."""

    @extend_schema(
        operation_id="list_observations", parameters=[PatientQuery], responses=PatientObservationsSerializer
    )
    def get(self, request: Request) -> Response:
        """List the measurements of a patient. The patient's history shows which records were opened."""
        query = checked(PatientQuery, request.query_params)
        patient = query.get("patient", self.actor.address)
        collection = observations.gather_observations(actor=self.actor, patient=patient, via=query.get("via"))
        values = [
            _value(row, part, part.code, series.name)
            for series in collection.series
            for row in series.rows
            for part in row.parts
        ]
        unreadable = [view.record for view in collection.unreadable]
        body = {
            "values": values,
            "record_count": collection.records,
            "older_record_count": collection.older,
            "unreadable_records": unreadable,
            "birth_dates": collection.births,
        }
        return answer(PatientObservationsSerializer, body)


def _value(row: Row, part: Part, code: str, name: str, single: bool = False) -> dict[str, Any]:
    amount = part.amount
    return {
        "code": part.code or code,
        "name": name,
        "component": part.name if part.name != name and not single else "",
        "value": amount.words if amount.number is None else f"{amount.number:f}",
        "is_number": amount.number is not None,
        "comparator": amount.comparator,
        "unit": amount.unit,
        "unit_code": amount.unit_code,
        "effective": row.when.text if row.when else "",
        "reference_range": str(part.range or ""),
        "interpretation": [str(flag) for flag in (*row.whole_flags, *part.flags)],
        "range_position": part.side,
        "doubt": part.doubt,
        "status": row.status,
        "is_future": row.ahead,
        "remarks": [*row.whole_remarks, *part.remarks],
        "note": row.note,
        "record": row.source.record,
    }
