"""Another portal on the same contract: its store is its own, and its rows are not in our tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Model

from accounts.actor import Actor
from accounts.models import Account, Errand
from chain.models import Act
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from records.content import settle_blobs
from records.models import (
    Blob,
    Envelope,
    EnvelopeList,
    GrantDraft,
    Holding,
    PatientFolder,
    QueuedKey,
    RequestAnswer,
    Selection,
    Upload,
)
from records.storage import IpfsStore
from tests.chain_node import FUNDER, ChainNode
from tests.records.conftest import Clinic, grant, upload
from tests.records.test_requests import ask

_GAS = 5_000_000
_UNKNOWN = "0xKnown at portal B alone"
_PRIVATE: tuple[type[Model], ...] = (
    Act,
    Errand,
    Upload,
    QueuedKey,
    Envelope,
    EnvelopeList,
    GrantDraft,
    PatientFolder,
    RequestAnswer,
    Selection,
    Blob,
    Holding,
)


class PortalB:
    """Uses this portal's code with another store, and takes its rows away again.

    `patient` is an account of B's that this portal does not have.
    """

    def __init__(self, chain: ChainNode, store_url: str, patient: Actor | None = None) -> None:
        self._chain, self._url = chain, store_url
        self._account = patient.account if patient is not None else None

    def write(self, author: Actor, **fields: Any) -> str:
        """A record by this author, as `upload` takes it. Return its id."""
        with self._at_work():
            return upload(author, **fields).record

    def share(self, patient: Actor, clinic: Clinic, *, request: str | None = None) -> None:
        """The patient grants the folder General to a doctor."""
        with self._at_work():
            grant(patient, clinic.doctor.address, clinic.via, request=request)

    def ask(self, clinic: Clinic, patient: Actor) -> None:
        """The doctor asks the patient for access."""
        with self._at_work():
            ask(clinic, patient.address)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Let accepted acts be B's meanwhile: files go into B's store, acts past this portal."""
        self._show(known=True)
        before = {model: set(model._default_manager.values_list("pk", flat=True)) for model in _PRIVATE}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(settings, "IPFS_API_URL", self._url)
            patch.setattr(settings, "IPFS_PIN_API_URLS", [])
            yield
            while settle_blobs():
                pass
        held = [bytes(row.data) for row in Blob.objects.filter(state=Blob.State.HELD) if row.data is not None]
        acts = list(Act.objects.exclude(pk__in=before[Act]).order_by("pk"))
        for model, known in before.items():
            model._default_manager.exclude(pk__in=known).delete()
        self._show(known=False)
        for act in acts:
            assert send_and_wait(FUNDER, deployment().address, act.calldata, gas=_GAS).succeeded
        for data in held:  # lists and envelopes, once their act is on the chain
            IpfsStore(self._url).put([data])
        self._chain.settle()

    def _show(self, *, known: bool) -> None:
        if self._account is not None:
            address = self._account.address if known else _UNKNOWN
            Account.objects.filter(pk=self._account.pk).update(address=address)
