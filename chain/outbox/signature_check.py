"""Who may sign for an account: its own projection, and the check of a signature when an act is accepted."""

from chain.acts.messages import SignedAct
from chain.errors import ActError
from chain.keys.ecdsa import recover_signer
from chain.models import Act, Event, SignerState
from chain.registry import on_event, on_reset


def signers_of(account: str, kind: str) -> set[str]:
    """Return the addresses whose signature makes an act of this kind the account's now."""
    state = SignerState.objects.filter(account=account).first()
    signers = {state.signer if state else account}
    if state and state.recovery:
        if kind == "NameRecovery":
            return {state.recovery}
        if kind == "ReplaceKeys":
            signers.add(state.recovery)
    return signers


def check_signature(signed: SignedAct, digest: str) -> Act | None:
    """ActError unless the act, of this digest, is signed by its author's signer.

    Where that signer comes with a replacement of keys that still waits, it is returned: the act builds on
    it. What a contract has to judge (ERC-1271) is left to the simulation.
    """
    if signed.contract_signed:
        return None
    author, kind = signed.act.author, signed.act.kind
    signer = recover_signer(bytes.fromhex(digest[2:]), signed.signature)
    if signer in signers_of(author, kind):
        return None
    replacement = Act.objects.waiting().by(author).of_kind("ReplaceKeys").order_by("-number").first()
    if replacement is None or replacement.fields["signer"] != signer:
        raise ActError("The signature is not by the account's signer.")
    return replacement


@on_event("KeysReplaced")
def keep_signer(event: Event) -> None:
    """The account's signer in force."""
    SignerState.objects.update_or_create(
        account=event["author"],
        defaults={
            "signer": event["signer"],
            "generation": event["generation"],
            "key_version": event["version"],
        },
    )


@on_event("RecoveryNamed")
def keep_recovery(event: Event) -> None:
    """The account's recovery address."""
    recovery = event["recovery"]
    SignerState.objects.update_or_create(
        account=event["author"],
        defaults={"recovery": "" if int(recovery, 16) == 0 else recovery},
        create_defaults={"signer": event["author"], "recovery": recovery},
    )


@on_reset
def forget_signers() -> None:
    """Empty the projection."""
    SignerState.objects.all().delete()
