"""Measurements: a row for each value, whose fields FHIR's Observation names where it has a name."""

from rest_framework import serializers

from records.api.serializers.base import DescribedSerializer


class ObservationSerializer(DescribedSerializer):
    """A measured value, or one component of it."""

    code = serializers.CharField(help_text="LOINC code, or system|code. May be empty.")
    name = serializers.CharField(help_text="Name of the measurement.")
    component = serializers.CharField(help_text="Name of the component (systolic), or empty.")
    value = serializers.CharField(
        help_text="Decimal with every digit that it came with, or words where it is no number."
    )
    is_number = serializers.BooleanField(help_text="Whether the value is a number.")
    comparator = serializers.CharField(help_text="Comparator of the value (<, <=, >=, >), or empty.")
    unit = serializers.CharField(help_text="Unit that people read, or empty.")
    unit_code = serializers.CharField(help_text="UCUM code of the unit, or empty.")
    effective = serializers.CharField(help_text="FHIR dateTime, as exact as it was given. May be empty.")
    reference_range = serializers.CharField(help_text="Reference range in words, or empty.")
    interpretation = serializers.ListField(
        child=serializers.CharField(),
        help_text="Flags of the source with meanings: HH critically high.",
    )
    range_position = serializers.CharField(
        help_text="`above` or `below` the reference range, or empty: within, or not known."
    )
    doubt = serializers.CharField(help_text="`impossible` or `odd` where a number hardly can be, or empty.")
    status = serializers.CharField(help_text="FHIR's status of the observation.")
    is_future = serializers.BooleanField(help_text="Whether it is dated in the future.")
    remarks = serializers.ListField(
        child=serializers.CharField(), help_text="What else the source says of the value."
    )
    note = serializers.CharField(help_text="Note of the source, or empty.")
    record = serializers.CharField(help_text="Id of the record that holds it.")


class RecordObservationsSerializer(DescribedSerializer):
    """The measurements in the file of a record."""

    values = ObservationSerializer(many=True, help_text="Measured values.")
    not_shown_count = serializers.IntegerField(help_text="Number of other entries in the file.")
    withdrawn_count = serializers.IntegerField(help_text="Number of entries cancelled, or in error.")
    subject = serializers.CharField(help_text="Patient as the file names one, or empty.")
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="Entries that could not be read, with the reason."
    )


class PatientObservationsSerializer(DescribedSerializer):
    """The measurements in the newest records of a patient, by series, newest first."""

    values = ObservationSerializer(many=True, help_text="Measured values.")
    record_count = serializers.IntegerField(help_text="Number of records that were read.")
    older_record_count = serializers.IntegerField(help_text="Number of records beyond the limit, not read.")
    unreadable_records = serializers.ListField(
        child=serializers.CharField(), help_text="Ids of records that were not read in full."
    )
    birth_dates = serializers.ListField(
        child=serializers.CharField(),
        help_text="Dates of birth in the files. With more than one, a file is about somebody else.",
    )
