"""Lists for administrators: ids, states and times. Nothing here opens, and nothing can be changed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chain.admin import ReadOnlyAdmin
from records.content import pin_nodes
from records.models import (
    Anchor,
    AnchoredLog,
    Blob,
    EmailRequest,
    EnvelopeList,
    Fetch,
    FolderState,
    Grant,
    Holding,
    PinNode,
    Record,
    Replica,
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


@admin.register(Holding)
class HoldingAdmin(ReadOnlyAdmin):
    """What this portal has put into the file store."""

    list_display = ("digest", "state", "size", "put_at", "unnamed_since", "lost_since")
    list_filter = (
        "state",
        ("unnamed_since", admin.EmptyFieldListFilter),
        ("lost_since", admin.EmptyFieldListFilter),
        "put_at",
    )
    search_fields = ("digest", "record")


@admin.register(PinNode)
class PinNodeAdmin(ReadOnlyAdmin):
    """Further nodes: how many contents each has, lacks and is to erase, and what went wrong last."""

    list_display = (
        "address",
        "in_settings",
        "held",
        "wanted",
        "wanted_since",
        "leaving",
        "failing_since",
        "what_went_wrong",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the counts."""
        del request
        return PinNode.objects.counted()

    @admin.display(boolean=True)
    def in_settings(self, node: PinNode) -> bool:
        """Return whether IPFS_PIN_API_URLS names it."""
        return node.address in pin_nodes()

    @admin.display(description="held")
    def held(self, node: Any) -> int:
        """Count its contents."""
        return int(node.held)

    @admin.display(description="missing")
    def wanted(self, node: Any) -> int:
        """Count the contents that it has yet to get."""
        return int(node.wanted)

    @admin.display(description="oldest missing since")
    def wanted_since(self, node: Any) -> Any:
        """Since when the oldest of them is."""
        return node.wanted_since

    @admin.display(description="to erase")
    def leaving(self, node: Any) -> int:
        """Count the contents that have yet to be erased there."""
        return int(node.leaving)

    @admin.display(description="last error")
    def what_went_wrong(self, node: Any) -> str:
        """Of the node, else of one of its contents."""
        return str(node.error or node.last_error or "")


@admin.register(Replica)
class ReplicaAdmin(ReadOnlyAdmin):
    """Each content on each further node."""

    list_display = ("holding_id", "node_id", "state", "since", "tries", "due_at", "error")
    list_filter = ("state", "node")
    search_fields = ("holding__digest",)


@admin.register(Fetch)
class FetchAdmin(ReadOnlyAdmin):
    """Files that other portals put: which came, which are waited for, which were refused and why."""

    list_display = (
        "digest",
        "kind",
        "author",
        "patient",
        "state",
        "since",
        "tries",
        "due_at",
        "size",
        "error",
    )
    list_filter = ("state", "kind", "since")
    search_fields = ("digest", "record", "author", "patient")


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

    list_display = ("at", "viewer", "via", "what", "record", "version", "patient", "position")
    list_filter = ("what", "at")
    search_fields = ("viewer", "via", "record", "patient")


@admin.register(Anchor)
class AnchorAdmin(ReadOnlyAdmin):
    """Anchors of view logs as the chain has them."""

    list_display = ("at", "block_number", "size", "log", "author", "root")
    list_filter = ("at",)
    search_fields = ("log", "author", "root", "tx_hash")


@admin.register(AnchoredLog)
class AnchoredLogAdmin(ReadOnlyAdmin):
    """The logs as which this portal's view log is anchored."""

    list_display = ("number", "log", "author", "start", "size", "opened_at", "anchored_at")
    search_fields = ("log",)
    exclude = ("peaks",)
