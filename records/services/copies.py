"""Where a patient's files are kept, in words: in the store, and on how many of the further nodes."""

from dataclasses import replace
from typing import Any

from django.db.models import Count, Q, QuerySet

from chain.models.bulk import rows_in
from records.content import pin_nodes
from records.models import Fetch, Holding, Replica
from records.shapes import RecordView
from records.storage import Cid

NOT_ARRIVED = "Sent through another portal, and not arrived here yet"


def with_storage(view: RecordView) -> RecordView:
    """The record and its versions, each with the words."""
    digests = {version.content: Cid.parse(version.content).hex for version in view.versions}
    words = storage_words(set(digests.values()))
    versions = [replace(one, storage=words.get(digests[one.content], "")) for one in view.versions]
    latest = [one.storage for one in versions if one.version == view.version]
    return replace(view, versions=versions, storage=latest[0] if latest else "")


def storage_words(digests: set[str]) -> dict[str, str]:
    """By a content's digest: "Stored", or how many of the nodes of the settings have it, too."""
    nodes = list(pin_nodes())
    held = Count("replicas", filter=Q(replicas__state=Replica.State.HELD, replicas__node__in=nodes))
    kept: QuerySet[Any] = Holding.objects.filter(state=Holding.State.KEPT).annotate(held=held)
    words = {row.pk: _words(row, row.held, len(nodes)) for row in rows_in(kept, "pk", digests)}
    coming = Fetch.objects.exclude(state=Fetch.State.HERE).only("pk")
    return {row.pk: NOT_ARRIVED for row in rows_in(coming, "pk", digests)} | words


def _words(row: Holding, held: int, nodes: int) -> str:
    if row.lost_since is not None and not held:
        return "Not found now"
    if not nodes:
        return "Stored"
    copies = f"{held} of {nodes} node" if nodes == 1 else f"{held} of {nodes} nodes"
    if row.lost_since is not None:
        return f"Not found in the store, replicated on {copies}: it is put back from there"
    return f"Replicated on {copies}" if held == nodes else f"Stored, replicated on {copies}"
