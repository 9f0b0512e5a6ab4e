"""What waits for an account's keys: re-keying, wrapping, renewing, revoking again; and sending again."""

from django.db import transaction
from django.urls import reverse

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services.errands import ErrandCard, runs_errand, settle_errand, shows_errand
from chain.acts.messages import prepare_act
from chain.models import Act
from chain.outbox.submit import next_number, submit_act
from records import access
from records.chain_words import address_row
from records.readability import Readability
from records.services import writing
from records.services.holders import REKEY
from records.services.keyring import Keyring
from records.services.rekeying import rekey_folder
from records.services.renewing import RENEW, renew_scope
from records.services.sending import SEND_AGAIN, send_again
from records.services.states import state_of

WRAP = "wrap-record"
REVOKE_AGAIN = "revoke-again"


@runs_errand(REKEY)
def run_rekey(actor: Actor, errand: Errand) -> bool:
    """Move a folder whose grant has run out or was given up."""
    rekey_folder(actor, int(errand.subject))
    return True


@runs_errand(WRAP)
def run_wrap(actor: Actor, errand: Errand) -> bool:
    """Wrap a data key that was sealed to the patient by who had no current folder secret.

    What is damaged has no key to wrap: the task is dropped. What is lost may still arrive, and waits.
    """
    state = state_of(errand.subject)
    if state is None or state.patient != actor.address or state.closed:
        return True
    standing = state.standing()
    if standing is None or standing.latest.wrapped or standing.latest.folder == 0:
        return True
    keyring = Keyring(actor, actor.address)
    match keyring.try_latest(standing).readability:
        case Readability.READABLE:
            writing.wrap_anew(keyring, standing, standing.latest.folder)
        case Readability.DAMAGED:
            settle_errand(errand, dropped=True)
        case _:
            return False
    return True


@runs_errand(RENEW)
def run_renew(actor: Actor, errand: Errand) -> bool:
    """Seal a record's new data key, or to a grantee's new key, for who has the record or selection alone."""
    return renew_scope(actor, errand.subject)


@runs_errand(REVOKE_AGAIN)
def run_revoke_again(actor: Actor, errand: Errand) -> bool:
    """A revoke that the chain refused (its serial was overtaken) is signed again with a higher one."""
    act = Act.objects.filter(digest=errand.subject, author=actor.address).first()
    if act is None:
        return True
    fields = {**act.fields, "serial": next_number(act.slot)}
    with transaction.atomic():
        submit_act(actor.sign(prepare_act("RevokeAccess", **fields)))
    return True


@runs_errand(SEND_AGAIN)
def run_send_again(actor: Actor, errand: Errand) -> bool:
    """Send a record again where its folder had only moved on: its author has nothing to decide."""
    act = Act.objects.filter(
        digest=errand.subject, author=actor.address, error_code="EpochNotCurrent"
    ).first()
    if act is None:
        return False
    fields, via = act.fields, address_row(act.fields["via"])
    if not access.can_write_folder(actor, patient=act.subject, folder=fields["folder"], via=via):
        return False
    send_again(actor=actor, record=errand.details["record"])
    return True


@shows_errand(SEND_AGAIN)
def show_send_again(errand: Errand) -> ErrandCard:
    """A record that the chain refused: its page says why, and offers to send it again or to drop it."""
    return ErrandCard(
        title="A record was not accepted",
        text="Access or the folder changed before it arrived. Its file is kept: send it again, or drop it.",
        url=reverse("records:detail", args=[errand.details["record"]]),
    )
