"""Admin lists of the chain's tables: to read, not to change."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from chain.models import Act, Attempt, Block, Cursor, Event, Sender, Transaction
from chain.support.pasted_text import search_words

if TYPE_CHECKING:
    ReadOnlyBase = admin.ModelAdmin[Model]
else:
    ReadOnlyBase = admin.ModelAdmin


class PastedSearchMixin:
    """A search that takes addresses and words as they are pasted."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look for the address in the text, else for its words as they look."""
        results: tuple[QuerySet[Any], bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_words(search_term)
        )
        return results


class ReadOnlyAdmin(PastedSearchMixin, ReadOnlyBase):
    """A list and pages to look at: these rows are written by the portal's own code alone."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody adds rows here."""
        del request, obj
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody changes rows here."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody deletes rows here."""
        del request, obj
        return False


@admin.register(Act)
class ActAdmin(ReadOnlyAdmin):
    """The outbox."""

    list_display = ("created_at", "kind", "state", "error_code", "author", "subject", "transaction")
    ordering = ("-created_at",)
    list_filter = ("state", "kind", "error_code", "created_at")
    list_select_related = ("transaction",)
    search_fields = ("author", "subject", "digest", "slot")
    date_hierarchy = "created_at"
    exclude = ("signature", "needs")


class AttemptInline(admin.TabularInline[Attempt, Transaction] if TYPE_CHECKING else admin.TabularInline):  # type: ignore[misc]
    """A transaction's attempts."""

    model = Attempt
    exclude = ("raw",)
    extra = 0
    can_delete = False


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """What the relayer sent."""

    list_display = (
        "sender",
        "nonce",
        "state",
        "act_count",
        "block_number",
        "succeeded",
        "gas_used",
        "created_at",
    )
    ordering = ("-created_at",)
    list_filter = ("state", "succeeded", "sender", "created_at")
    list_select_related = ("sender",)
    search_fields = ("attempts__hash", "nonce", "sender__address")
    inlines = (AttemptInline,)


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Signed transactions by hash."""

    list_display = ("hash", "transaction", "state", "gas", "max_fee", "priority_fee", "sent_at")
    list_filter = ("state", "created_at")
    list_select_related = ("transaction",)
    search_fields = ("hash",)
    exclude = ("raw",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The archive of events."""

    list_display = ("block_number", "name", "applied", "block_time", "author", "subject")
    ordering = ("-block_number", "-log_index")
    list_filter = ("name", "applied", "block_time")
    search_fields = ("author", "subject", "tx_hash", "act_digest", "slot")


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin):
    """Relayer keys, by address, and why one waits. Acting on them: the operations page."""

    list_display = ("address", "balance", "held", "paused_reason", "paused_at", "leased_until")
    exclude = ("lease",)


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    """Blocks that were read."""

    list_display = ("number", "hash", "time")
    ordering = ("-number",)
    search_fields = ("number", "hash")


@admin.register(Cursor)
class CursorAdmin(ReadOnlyAdmin):
    """How far the chain was read."""

    list_display = ("name", "seen", "applied", "head", "range", "checked_at", "error")
