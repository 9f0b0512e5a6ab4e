"""What is asked again in the very transaction that accepts an act: what was read before may have changed.

An act is prepared outside a transaction, since that asks the node for keys. Meanwhile the patient may stop
sharing, the folder may move on, or the record may be closed. The chain would only refuse such an act. So acts
on a patient's folders are accepted one after the other. Each is compared with the state that those before it
have left.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from accounts.actor import Actor
from accounts.services.limits import wait_in_line
from chain.acts.messages import PreparedAct
from chain.contract.slots import folder_of_scope, slot_close
from chain.models import Act
from chain.registry import on_act_offered
from records import access
from records.chain_words import ZERO_WORD, address_row
from records.errors import AccessRefused, Conflict, FolderMoved
from records.services.epochs import current_epoch
from records.services.folders import INBOX
from records.services.senders import is_blocked

_TRIES = 5
# They change, or depend on, who may do what in a patient's folders.
_CONSENT = ("GrantAccess", "RevokeAccess", "GiveUpAccess", "BlockSender")
_IN_TURN = ("NewRecord", "ModifyRecord", "CloseRecord", "RekeyFolder", *_CONSENT)

Result = TypeVar("Result")


def prepare_until_kept(prepare_and_keep: Callable[[], Result]) -> Result:
    """Return what a function does that prepares an act and has it accepted.

    It is called again where the folder moved on in between. Raises FolderMoved if that never ends.
    """
    for _ in range(_TRIES - 1):
        with suppress(FolderMoved):
            return prepare_and_keep()
    return prepare_and_keep()


def check_writing(actor: Actor, act: PreparedAct) -> None:
    """Raise unless the actor may still write what this act says, in the transaction that accepts it.

    Raises AccessRefused for what was taken back since it was prepared, Conflict for a record closed since.
    """
    fields, patient, via = act.fields, act.subject, address_row(act.fields["via"])
    wait_in_line([actor.address, patient, via])
    if act.kind == "ModifyRecord":
        closing = Act.objects.reserving().filter(slot=slot_close(fields["record"]))
        if closing.exists():
            raise Conflict("This record is closed: it takes no further versions.")
    if actor.address == patient:
        return
    if act.kind == "ModifyRecord":
        records = access.writable_by(actor, patient=patient, via=via)
        allowed = records.filter(pk=fields["record"]).exists()
    elif fields["folder"] == INBOX:
        allowed = not is_blocked(patient, actor.address, via)
    else:
        allowed = access.can_write_folder(actor, patient=patient, folder=fields["folder"], via=via)
    if not allowed:
        raise AccessRefused(
            "The patient has stopped this at the same moment. Nothing was saved.", patient=patient, via=via
        )


@on_act_offered
def check_epoch(act: PreparedAct) -> None:
    """Refuse an act that names an epoch which its folder has left. None leaves until the transaction ends."""
    if act.kind not in _IN_TURN or act.fields.get("folder") == INBOX:
        return
    wait_in_line([act.subject])
    named = act.fields.get("epoch", act.fields.get("fromEpoch"))
    folder = act.fields.get("folder", folder_of_scope(act.fields.get("scope", ZERO_WORD)))
    if named is not None and folder and named < current_epoch(act.subject, folder):
        raise FolderMoved
