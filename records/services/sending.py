"""Sending again what the chain could no longer take: nothing accepted is lost."""

from django.db import transaction

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services.errands import add_errand, settle_errands
from chain.acts.messages import prepare_act
from chain.contract.slots import slot_record
from chain.models import Act
from records import access
from records.chain_words import address_row, raw, word
from records.crypto.ids import record_id
from records.errors import NotFound
from records.models import QueuedKey
from records.services import documents, writing
from records.services.acceptance import prepare_until_kept
from records.services.epochs import current_epoch
from records.services.keyring import Keyring
from records.services.states import SEND_AGAIN, RecordState, act_record, state_of, version_of
from records.services.writing import Place, Prepared
from records.shapes import RecordView

__all__ = ["SEND_AGAIN", "drop_failed", "leave_errand", "send_again"]


def leave_errand(act: Act) -> None:
    """An act on a record that was refused or returned becomes its author's errand."""
    add_errand(account=act.author, kind=SEND_AGAIN, subject=act.digest, details={"record": act_record(act)})


def send_again(*, actor: Actor, record: str) -> RecordView:
    """Sign a refused record or version again for the state there is now; into the inbox, if nothing else.

    Raises NotFound, AccessRefused, Conflict, ChainDown, VaultClosed.
    """
    writing.require_keys(actor)
    failed = _failed(actor, record)
    state = state_of(record)
    if state is None:
        raise NotFound("There is no such record.")
    if failed.kind == "NewRecord":
        _new_again(actor, state, failed)
    else:
        _version_again(actor, state, failed)
    return documents.get_record(actor=actor, record=record)


def drop_failed(*, actor: Actor, record: str) -> None:
    """Decide that a refused record or version is not sent again. Raises NotFound."""
    failed = _failed(actor, record)
    settle_errands(kind=SEND_AGAIN, subject=failed.digest, account=actor.address, dropped=True)
    QueuedKey.objects.filter(record=record, author=actor.address).delete()


def _failed(actor: Actor, record: str) -> Act:
    waiting = Errand.objects.filter(account=actor.address, kind=SEND_AGAIN, state=Errand.State.OPEN)
    acts = Act.objects.by(actor.address).filter(
        slot=slot_record(record), digest__in=waiting.values("subject"), state__in=("failed", "returned")
    )
    failed = acts.order_by("-created_at").first()
    if failed is None:
        raise NotFound("Nothing of this record waits to be sent again.")
    return failed


def _new_again(actor: Actor, state: RecordState, failed: Act) -> None:
    keyring = Keyring(actor, state.patient)
    opened = writing.open_or_refuse(keyring, state)
    fields, via = failed.fields, address_row(failed.fields["via"])
    if word(record_id(actor.address, raw(fields["nonce"]))) != state.record:
        raise NotFound("There is no such record.")

    def send() -> None:
        folder = fields["folder"]
        if not access.can_write_folder(actor, patient=state.patient, folder=folder, via=via):
            folder = 0
            writing.require_sender(actor, state.patient, via)
        place = Place(folder, current_epoch(state.patient, folder))
        secret = writing.secret_for(keyring, record=state.record, place=place, data_key=opened.data_key)
        changed = {"folder": folder, "epoch": place.epoch, "secret": secret.hex}
        act = prepare_act("NewRecord", **{**fields, **changed})
        _keep(actor, Prepared(act, None, secret, []), failed)

    prepare_until_kept(send)


def _version_again(actor: Actor, state: RecordState, failed: Act) -> None:
    via = address_row(failed.fields["via"])
    writing.require_writer(actor, state, via)
    keyring = Keyring(actor, state.patient)
    version = version_of(failed)
    opened = keyring.require(keyring.try_version(state, version))

    def send() -> None:
        prepared = writing.prepare_version(
            keyring,
            state,
            description=opened.description,
            content=version.content,
            flags=version.flags,
            via=via,
        )
        _keep(actor, prepared, failed)

    prepare_until_kept(send)


def _keep(actor: Actor, prepared: Prepared, failed: Act) -> None:
    with transaction.atomic():
        writing.keep_version(actor, prepared)
        settle_errands(kind=SEND_AGAIN, subject=failed.digest, account=actor.address)
