"""Another portal on the same contract: its store is its own, and its rows are not in our tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Model

from accounts.actor import Actor
from chain.acts import prepare_act
from chain.models import Act
from records.content import settle_blobs
from records.models import Blob, Envelope, EnvelopeList, Holding, QueuedKey, Upload
from tests.chain.raw_acts import send_from_elsewhere
from tests.chain_node import ChainNode
from tests.records.conftest import upload

_PRIVATE: tuple[type[Model], ...] = (Act, Upload, QueuedKey, Envelope, EnvelopeList, Blob, Holding)


class PortalB:
    """Uses this portal's code with another store, and takes its rows away again."""

    def __init__(self, chain: ChainNode, store_url: str) -> None:
        self._chain, self._url = chain, store_url

    def write(self, author: Actor, **fields: Any) -> str:
        """A record by this author, as `upload` takes it; its id."""
        with self._own_rows():
            view = upload(author, **fields)
            act = Act.objects.get(pk=view.act)
            kind, said = act.kind, act.fields
            while settle_blobs():
                pass
        key = author.keys.signing_key
        assert key is not None
        send_from_elsewhere(self._chain, prepare_act(kind, **said), key)
        return view.record

    @contextmanager
    def _own_rows(self) -> Iterator[None]:
        before = {model: set(model._default_manager.values_list("pk", flat=True)) for model in _PRIVATE}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(settings, "IPFS_API_URL", self._url)
            yield
        for model, known in before.items():
            model._default_manager.exclude(pk__in=known).delete()
