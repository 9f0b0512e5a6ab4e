"""Lists for administrators: ids, states and times. Nothing here opens, and nothing can be changed."""

from django.contrib import admin

from chain.admin import ReadOnlyAdmin
from records.models import (
    Blob,
    EmailRequest,
    EnvelopeList,
    FolderState,
    Grant,
    Record,
    Request,
    Upload,
    Version,
    ViewLog,
)


@admin.register(Record)
class RecordAdmin(ReadOnlyAdmin):
    """Records as the chain has them."""

    list_display = ("record", "patient", "author", "via", "folder", "version", "closed", "created_at")
    list_filter = ("closed", "created_at")
    search_fields = ("record", "patient", "author", "via")


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    """Versions as the chain has them."""

    list_display = ("record_id", "version", "author", "via", "folder", "epoch", "block_number", "at")
    search_fields = ("record__record", "author", "tx_hash", "content", "description")
    exclude = ("secret",)


@admin.register(FolderState)
class FolderStateAdmin(ReadOnlyAdmin):
    """Folders' epochs."""

    list_display = ("patient", "folder", "epoch", "name_serial")
    search_fields = ("patient",)


@admin.register(Request)
class RequestAdmin(ReadOnlyAdmin):
    """Requests as the chain has them."""

    list_display = ("request", "patient", "author", "via", "state", "requested_at", "closed_at")
    list_filter = ("state", "requested_at")
    search_fields = ("request", "patient", "author", "via")


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """Grants as the chain has them."""

    list_display = ("patient", "grantee", "via", "scope", "permissions", "expiry", "ended", "serial")
    list_filter = ("ended", "permissions", "expiry")
    search_fields = ("patient", "grantee", "via", "scope", "request")


@admin.register(EnvelopeList)
class EnvelopeListAdmin(ReadOnlyAdmin):
    """Public lists of envelopes."""

    list_display = ("digest", "purpose", "sender", "patient", "scope", "epoch", "created_at")
    list_filter = ("purpose",)
    search_fields = ("digest", "patient", "sender", "scope")


@admin.register(Blob)
class BlobAdmin(ReadOnlyAdmin):
    """Small ciphertexts, and whether the file store has them."""

    list_display = ("digest", "state")
    list_filter = ("state",)
    search_fields = ("digest",)
    exclude = ("data",)


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """Uploads: described, arriving, done."""

    list_display = ("id", "author", "patient", "via", "folder", "record", "state", "size", "created_at")
    list_filter = ("state", "created_at")
    search_fields = ("record", "author", "patient")
    exclude = ("sealed", "claim")


@admin.register(EmailRequest)
class EmailRequestAdmin(ReadOnlyAdmin):
    """Requests by mailed link."""

    list_display = ("id", "author", "via", "state", "created_at", "expires_at", "closed_at")
    list_filter = ("state", "created_at")
    search_fields = ("author", "via")
    exclude = ("digest", "sealed", "sealed_author", "sealed_patient", "sealed_reason")


@admin.register(ViewLog)
class ViewLogAdmin(ReadOnlyAdmin):
    """Who looked at what."""

    list_display = ("at", "viewer", "via", "what", "record", "version", "patient")
    list_filter = ("what", "at")
    search_fields = ("viewer", "via", "record", "patient")
