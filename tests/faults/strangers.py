"""Acts of strangers, sent straight to the contract: bytes and numbers that nobody here would write."""

from pathlib import Path
from random import Random

from django.conf import settings

from chain.acts.messages import PreparedAct, prepare_act, sign_act
from chain.contract.abi import encode_call
from chain.contract.slots import folder_scope
from chain.keys.ecdsa import address_of_key
from chain.localchain.identity import make_funder_key
from chain.models import Event
from chain.node.deployment import deployment, domain
from chain.operations.deploy import send_and_wait
from tests.exploits.prepared import granting, naming, recording

_GAS = 16_000_000
_KEY_BYTES = 1217
_LAST = 2**16 - 1  # folder and epoch
_NEVER = 2**40 - 1  # unix seconds


def send_strange_acts(seed: int, count: int, told: Path) -> None:
    """Send so many by fresh accounts in one transaction, their digests noted before."""
    random = Random(seed)
    signed = []
    for _ in range(count):
        key = random.randbytes(32)
        signed.append(sign_act(_strange_act(random, address_of_key(key)), key))
    with told.open("a") as file:
        file.writelines(f"{signed_act.act.digest(domain())}\n" for signed_act in signed)
    calls = [signed_act.act.calldata(signed_act.signature) for signed_act in signed]
    funder = make_funder_key(settings.VAR / "chain")
    assert send_and_wait(funder, deployment().address, encode_call("relay", calls), gas=_GAS).succeeded


def _strange_act(random: Random, author: str) -> PreparedAct:
    """An act that the contract takes, since it is about the stranger's own things."""
    digest = _somebodys_digest(random)
    makers = (
        lambda: prepare_act("PublishKey", author=author, version=1, key=b"\x01" + b"\xff" * (_KEY_BYTES - 1)),
        lambda: naming(author, serial=1024),
        lambda: recording(author, folder=_LAST, content=digest, description=digest),
        lambda: recording(author, content=b"\x00" * 31 + b"\x01", flags=1, secret=b"\xff" * 40),
        lambda: granting(author, _somebody(random), folder=_LAST, envelopes=digest, expiry=_NEVER),
        lambda: granting(author, _somebody(random), envelopes=digest, notBefore=_NEVER - 1, expiry=_NEVER),
        lambda: prepare_act(
            "RekeyFolder", author=author, folder=1, fromEpoch=0, toEpoch=_LAST, envelopes=digest
        ),
        lambda: prepare_act(
            "BlockSender", author=author, sender=_somebody(random), blocked=True, serial=1024
        ),
        lambda: prepare_act(
            "RevokeAccess",
            author=author,
            grantee=_somebody(random),
            via=_somebody(random),
            scope=folder_scope(_LAST),
            serial=1024,
        ),
    )
    return random.choice(makers)()


def _somebody(random: Random) -> str:
    """An account that others have to do with."""
    return random.choice(list(Event.objects.values_list("author", flat=True)[:200]))


def _somebodys_digest(random: Random) -> bytes:
    """A digest of somebody's description."""
    events = Event.objects.named("RecordAdded").values_list("args", flat=True)[:200]
    return bytes.fromhex(random.choice([args["description"] for args in events] or ["0x" + "11" * 32])[2:])
