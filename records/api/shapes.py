"""What the API takes and gives."""

from typing import Any

from rest_framework import serializers

from accounts.errors import BadAddress
from accounts.services.directory import parse_address
from records.kinds import KIND_CHOICES, PURPOSE_CHOICES
from records.readability import Readability
from records.services.describing import FILE_NAME_MAX, TITLE_MAX
from records.services.folders import NAME_MAX
from records.services.requests import REASON_MAX
from records.services.searching import TEXT_MAX
from records.services.terms import DAYS_MAX, NOTE_MAX

READABILITY = [(each.value, each.value) for each in Readability]
ADDRESS_MAX = 320  # characters, with all that may come around an address
PERMISSIONS = [("read", "Read"), ("write", "Read, add and modify")]


class AddressField(serializers.CharField):
    """An account's address, as pasted. Small letters alone are taken, mixed ones are checked (EIP-55)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text="0x and 40 hex digits (EIP-55).", max_length=ADDRESS_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """The address. Raises ValidationError."""
        try:
            return parse_address(super().to_internal_value(data))
        except BadAddress as error:
            raise serializers.ValidationError(str(error)) from error


class VersionShape(serializers.Serializer):  # type: ignore[type-arg]
    """A version of a record."""

    version = serializers.IntegerField()
    number = serializers.IntegerField()
    author = serializers.CharField()
    via = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField()
    service_date = serializers.DateField(allow_null=True)
    file_name = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField()
    content = serializers.CharField(help_text="CID of the ciphertext.")
    state = serializers.CharField()
    block_number = serializers.IntegerField(allow_null=True)
    tx_hash = serializers.CharField()
    created_at = serializers.DateTimeField()
    readable = serializers.BooleanField()
    readability = serializers.ChoiceField(choices=READABILITY, help_text="Why it cannot be read, if so.")


class RecordShape(serializers.Serializer):  # type: ignore[type-arg]
    """A record; `state` is waiting, confirmed or failed."""

    record = serializers.CharField()
    patient = serializers.CharField()
    author = serializers.CharField()
    author_name = serializers.CharField()
    via = serializers.CharField()
    folder = serializers.IntegerField()
    folder_name = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    kind = serializers.CharField()
    kind_name = serializers.CharField()
    service_date = serializers.DateField(allow_null=True)
    file_name = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField()
    state = serializers.CharField()
    error = serializers.CharField()
    block_number = serializers.IntegerField(allow_null=True)
    tx_hash = serializers.CharField()
    can_write = serializers.BooleanField()
    closed = serializers.CharField()
    readable = serializers.BooleanField()
    readability = serializers.ChoiceField(choices=READABILITY, help_text="Why it cannot be read, if so.")
    created_at = serializers.DateTimeField()
    versions = VersionShape(many=True)


class DescriptionShape(serializers.Serializer):  # type: ignore[type-arg]
    """What a person writes about a record."""

    title = serializers.CharField(max_length=TITLE_MAX)
    kind = serializers.ChoiceField(choices=KIND_CHOICES)
    service_date = serializers.DateField(allow_null=True, default=None)
    via = AddressField(allow_blank=True, default="")


class UploadShape(DescriptionShape):
    """An upload, described; its bytes follow as the raw body of a PUT."""

    patient = AddressField(required=False, default=None, allow_null=True)
    folder = serializers.IntegerField(min_value=0, max_value=65_535, default=None, allow_null=True)
    nonce = serializers.CharField(allow_blank=True, default="", trim_whitespace=False)
    file_name = serializers.CharField(max_length=FILE_NAME_MAX)
    media_type = serializers.CharField(allow_blank=True, default="")
    size = serializers.IntegerField(min_value=0, default=None, allow_null=True)
    replaces = serializers.CharField(default=None, allow_null=True)


class UploadAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Where the bytes go."""

    id = serializers.UUIDField()
    record = serializers.CharField()
    state = serializers.CharField()
    size = serializers.IntegerField(allow_null=True)
    max_bytes = serializers.IntegerField()
    part_bytes = serializers.IntegerField(help_text="Bytes of each part but the last.")
    parts = serializers.IntegerField(help_text="How many parts; 0 when no size was described.")
    next_part = serializers.IntegerField(help_text="The part (from 0) that comes next.")
    digest = serializers.CharField(
        help_text="Of the parts so far, hex: 32 zero bytes; with each part, SHA-256(before || SHA-256(part))."
    )
    kept_until = serializers.DateTimeField(help_text="When an unfinished upload is forgotten.")


class FinishShape(serializers.Serializer):  # type: ignore[type-arg]
    """All parts are sent."""

    digest = serializers.CharField(max_length=100, help_text="Of all parts of the sender's file, as above.")


class FolderShape(serializers.Serializer):  # type: ignore[type-arg]
    """A folder of one's own."""

    number = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=NAME_MAX)
    record_count = serializers.IntegerField(read_only=True)


class MoveShape(serializers.Serializer):  # type: ignore[type-arg]
    """Into which folder."""

    folder = serializers.IntegerField(min_value=1, max_value=65_535)


class ReasonShape(serializers.Serializer):  # type: ignore[type-arg]
    """Why; may be empty."""

    reason = serializers.CharField(allow_blank=True, default="", max_length=REASON_MAX)


class TermsShape(serializers.Serializer):  # type: ignore[type-arg]
    """What is asked for."""

    purpose = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField())
    write = serializers.BooleanField()
    days = serializers.IntegerField()
    note = serializers.CharField()


class RequestShape(serializers.Serializer):  # type: ignore[type-arg]
    """A request, on the chain or mailed."""

    id = serializers.CharField()
    by_email = serializers.BooleanField()
    patient = serializers.CharField()
    author = serializers.CharField()
    author_name = serializers.CharField()
    via = serializers.CharField()
    via_name = serializers.CharField()
    terms = TermsShape(allow_null=True)
    state = serializers.CharField()
    readability = serializers.ChoiceField(choices=READABILITY, help_text="Of the terms.")
    reason = serializers.CharField()
    reason_damaged = serializers.BooleanField()
    requested_at = serializers.DateTimeField()


class AskShape(serializers.Serializer):  # type: ignore[type-arg]
    """A request to a patient, by address or by e-mail: exactly one of them."""

    patient = AddressField(required=False)
    email = serializers.EmailField(required=False)
    via = AddressField()
    purpose = serializers.ChoiceField(choices=PURPOSE_CHOICES)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=KIND_CHOICES), default=list)
    permissions = serializers.ChoiceField(choices=PERMISSIONS, default="read")
    days = serializers.IntegerField(min_value=1, max_value=DAYS_MAX)
    note = serializers.CharField(allow_blank=True, default="", max_length=NOTE_MAX)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """One way to name the patient."""
        if ("patient" in attrs) == ("email" in attrs):
            raise serializers.ValidationError("Name the patient by `patient` or by `email`.")
        return attrs


class GrantShape(serializers.Serializer):  # type: ignore[type-arg]
    """A grant, as its patient sees it."""

    grantee = serializers.CharField()
    grantee_name = serializers.CharField()
    via = serializers.CharField()
    scope = serializers.CharField()
    scope_kind = serializers.CharField()
    scope_name = serializers.CharField()
    record_count = serializers.IntegerField()
    write = serializers.BooleanField()
    not_before = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    days_left = serializers.IntegerField()
    state = serializers.CharField()
    request = serializers.CharField()
    has_unusable_key = serializers.BooleanField(
        help_text="The grantee's published key cannot be used: what is new does not reach this account."
    )


class GiveShape(serializers.Serializer):  # type: ignore[type-arg]
    """Access to give: folders, records, or a selection by kind and period."""

    grantee = AddressField()
    via = AddressField(allow_blank=True, default="")
    folders = serializers.ListField(child=serializers.IntegerField(min_value=1), default=list)
    records = serializers.ListField(child=serializers.CharField(), default=list)
    selection = serializers.BooleanField(default=False)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=KIND_CHOICES), default=list)
    since = serializers.DateField(default=None, allow_null=True)
    until = serializers.DateField(default=None, allow_null=True)
    permissions = serializers.ChoiceField(choices=PERMISSIONS, default="read")
    not_before = serializers.DateTimeField(default=None, allow_null=True)
    expires_at = serializers.DateTimeField()
    request = serializers.CharField(default=None, allow_null=True)


class EndShape(serializers.Serializer):  # type: ignore[type-arg]
    """A grant to end."""

    grantee = AddressField()
    via = AddressField(allow_blank=True, default="")
    scope = serializers.RegexField(r"^0x[0-9a-f]{64}$")


class GiveUpShape(serializers.Serializer):  # type: ignore[type-arg]
    """A grant of one's own to give back."""

    patient = AddressField()
    via = AddressField(allow_blank=True, default="")
    scope = serializers.RegexField(r"^0x[0-9a-f]{64}$")


class ActShape(serializers.Serializer):  # type: ignore[type-arg]
    """A signed act on its way to the chain."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    error = serializers.CharField()


class RefusalShape(serializers.Serializer):  # type: ignore[type-arg]
    """Something that was accepted and not done: its author sends it again, or drops it."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="The kind of act, as in docs/CHAIN.md.")
    title = serializers.CharField()
    text = serializers.CharField()
    code = serializers.CharField(help_text="The contract's error, or Overtaken.")
    record = serializers.CharField(help_text="The record that it is about, or empty.")
    created_at = serializers.DateTimeField()


class BlockShape(serializers.Serializer):  # type: ignore[type-arg]
    """A doctor or an institution."""

    sender = AddressField()


class SenderShape(serializers.Serializer):  # type: ignore[type-arg]
    """From whom nothing is taken into the inbox; while it is `lifting`, it waits to be taken again."""

    address = serializers.CharField()
    name = serializers.CharField()
    lifting = serializers.BooleanField()
    state = serializers.CharField(help_text="Of the patient's newest word: waiting or confirmed.")
    act = serializers.CharField()


class ScopeShape(serializers.Serializer):  # type: ignore[type-arg]
    """A scope that a doctor holds."""

    scope = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    write = serializers.BooleanField()
    expires_at = serializers.DateTimeField()
    days_left = serializers.IntegerField()


class PatientShape(serializers.Serializer):  # type: ignore[type-arg]
    """A patient of whom the actor holds grants."""

    address = serializers.CharField()
    name = serializers.CharField()
    via = serializers.CharField()
    via_name = serializers.CharField()
    scopes = ScopeShape(many=True)
    days_left = serializers.IntegerField()


class HistoryShape(serializers.Serializer):  # type: ignore[type-arg]
    """A line of the access history. Of a look, block and transaction are its anchor's, once confirmed."""

    at = serializers.DateTimeField()
    action = serializers.CharField()
    text = serializers.CharField()
    agent = serializers.CharField()
    agent_name = serializers.CharField()
    via = serializers.CharField()
    record = serializers.CharField()
    title = serializers.CharField()
    state = serializers.CharField()
    block_number = serializers.IntegerField(allow_null=True)
    tx_hash = serializers.CharField()
    count = serializers.IntegerField(help_text="How many looks or requests this line stands for.")
    first_at = serializers.DateTimeField(help_text="When the first of them was; `at` is when the last was.")


class PageQuery(serializers.Serializer):  # type: ignore[type-arg]
    """Which part of a list that others can make long."""

    limit = serializers.IntegerField(required=False, default=500, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31)


class PatientsQuery(PageQuery):
    """Which patients. Anybody may give a doctor access that no key comes with."""

    unopened = serializers.BooleanField(
        required=False, default=False, help_text="Instead those for whom no key has come (yet)."
    )


class HistoryQuery(serializers.Serializer):  # type: ignore[type-arg]
    """Which lines of the access history, and from where on."""

    topic = serializers.ChoiceField(["", "views", "sharing", "changes"], required=False)
    record = serializers.CharField(required=False, help_text="Id of a record.")
    agent = AddressField(required=False)
    fold = serializers.BooleanField(
        required=False,
        default=False,
        help_text="One line for one viewer's looks at one record, and for one sender's requests.",
    )
    cursor = serializers.CharField(required=False, help_text="From the Link header of the page before.")
    limit = serializers.IntegerField(required=False, default=500, min_value=1, max_value=1000)


class MeShape(serializers.Serializer):  # type: ignore[type-arg]
    """As whom the token acts."""

    address = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    institutions = serializers.ListField(child=serializers.CharField())
    key_fingerprint = serializers.CharField()
    can_sign = serializers.BooleanField()


class WhoseQuery(serializers.Serializer):  # type: ignore[type-arg]
    """Whose records, through which institution."""

    patient = AddressField(required=False)
    via = AddressField(required=False)


class ListQuery(WhoseQuery):
    """Which records of a patient, newest first. Without `limit` all of them."""

    folder = serializers.IntegerField(required=False, min_value=0)
    kind = serializers.ChoiceField(choices=KIND_CHOICES, required=False)
    since = serializers.DateField(required=False, help_text="First date of service (else of receipt).")
    until = serializers.DateField(required=False, help_text="Last date of service (else of receipt).")
    author = AddressField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, min_value=0, default=0)


class SearchShape(ListQuery):
    """The same, with words: each stands in title, file name, kind or the name of who wrote it."""

    text = serializers.CharField(required=False, allow_blank=True, default="", max_length=TEXT_MAX)


class ExportQuery(serializers.Serializer):  # type: ignore[type-arg]
    """Whose records, through which institution, and whether earlier versions come, too."""

    patient = AddressField(required=False)
    via = AddressField(required=False)
    versions = serializers.ChoiceField(choices=["newest", "all"], default="newest")


class VersionQuery(serializers.Serializer):  # type: ignore[type-arg]
    """Which version; without it the newest."""

    version = serializers.IntegerField(required=False, min_value=1)
