"""Vectors of CIDs, of parts of an upload, of an institution's sealed keys and of acts."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from accounts.crypto import keys
from accounts.crypto.derivation import labelled, u32
from accounts.crypto.errors import CryptoError
from accounts.crypto.origin import Origin, address_bytes
from accounts.crypto.sealing import open_sealed, seal
from chain.acts.messages import prepare_act
from chain.contract.abi import act_types
from chain.keys.ecdsa import sign_digest
from chain.node.domain import Domain
from records.crypto.parts import NO_DIGEST, PartPlan, digest_with, encrypt_part
from records.storage.cid import root_of_leaves

LEAF = 1 << 20
CID_SIZES = (0, 1, LEAF, LEAF + 1, 3 * LEAF, 1025 * LEAF + 1)
Fixed = Callable[..., bytes]


def cids_vectors() -> dict[str, Any]:
    """The CID of files of zeros: one block, a node over leaves, and two levels of nodes."""
    rows = []
    for size in CID_SIZES:
        lengths = [min(LEAF, size - at) for at in range(0, max(size, 1), LEAF)]
        digests = {length: sha256(bytes(length)).digest() for length in set(lengths)}
        cid = root_of_leaves(b"".join(digests[length] for length in lengths), size)
        rows.append({"size": size, "flags": int(cid.dag_pb), "digest": cid.digest.hex(), "cid": str(cid)})
    return {"content": "zero bytes", "files": rows}


def parts_vectors(fixed: Fixed, plaintext: Callable[[int], bytes]) -> dict[str, Any]:
    """A content in three parts as they wait, and the digest of those so far."""
    plan = PartPlan(size=2 * 131_072 + 5, part_bytes=131_072)
    plain, digest, rows = plaintext(plan.size), NO_DIGEST, []
    for index in range(plan.count):
        part = plain[index * plan.part_bytes :][: plan.length(index)]
        digest = digest_with(digest, part)
        sealed = encrypt_part(fixed("upload key"), fixed("record"), index, part, salt=fixed("salt"))
        rows.append(
            {
                "part": index,
                "digest": digest.hex(),
                "at": plan.offset(index),
                "encrypted_sha256": sha256(b"".join(sealed)).hexdigest(),
            }
        )
    return {
        "upload_key": fixed("upload key").hex(),
        "size": plan.size,
        "part_bytes": plan.part_bytes,
        "parts": rows,
    }


def institution_vectors(fixed: Fixed, origin: Origin, seed: bytes, old: dict[str, Any]) -> dict[str, Any]:
    """An institution's entropy for a manager, and a sharing seed of it for a doctor. `old`: as they are."""
    entropy, key = fixed("institution"), keys.SharingKey(seed)
    address = keys.address_of(keys.signing_key(entropy, 0))
    recipient = keys.address_of(keys.signing_key(fixed("entropy"), 1))
    rows = []
    for kind, version, plain in (("entropy", 0, entropy), ("seed", 2, keys.sharing_seed(entropy, 0, 0, 2))):
        accounts = address_bytes(address), address_bytes(recipient), bytes.fromhex(key.digest[2:])
        info = labelled(f"institution-{kind}", origin.to_bytes(), *accounts, u32(0), u32(version))
        kept = {row["kind"]: bytes.fromhex(row["sealed"]) for row in old.get("sealed", [])}.get(kind, b"")
        sealed = kept if _opens(seed, info, kept, plain) else seal(key.public, info, plain)
        place = {"kind": kind, "generation": 0, "version": version}
        rows.append(place | {"info": info.hex(), "plaintext": plain.hex(), "sealed": sealed.hex()})
    return {"institution": address, "recipient": recipient, "sealed": rows}


def _opens(seed: bytes, info: bytes, sealed: bytes, plain: bytes) -> bool:
    try:
        return open_sealed(seed, info, sealed) == plain
    except CryptoError:
        return False


def acts_vectors(fixed: Fixed, origin: Origin) -> dict[str, Any]:
    """An act of each kind: EIP-712 digest and signature, for a successor of the first contract."""
    key = keys.signing_key(fixed("entropy"), 0)
    domain = Domain(origin.chain_id, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
    rows = []
    for kind, act_type in sorted(act_types().items()):
        values = {
            name: _value(fixed, number, solidity) for number, (name, solidity) in enumerate(act_type.members)
        }
        act = prepare_act(kind, **values | {"author": keys.address_of(key)})
        digest = act.digest(domain)
        members = ",".join(f"{solidity} {name}" for name, solidity in act_type.members)
        rows.append(
            {
                "type": f"{kind}({members})",
                "fields": act.fields,
                "digest": digest,
                "signature": "0x" + sign_digest(key, bytes.fromhex(digest[2:])).hex(),
            }
        )
    return {"domain": domain.fields, "separator": "0x" + domain.separator.hex(), "acts": rows}


def _value(fixed: Fixed, number: int, solidity: str) -> Any:
    if solidity == "address":
        return keys.address_of(keys.signing_key(fixed(f"person {number}"), 0))
    if solidity == "bool":
        return True
    if solidity.startswith("uint"):
        return number + 1
    return fixed(f"field {number}", 40 if solidity == "bytes" else 32)
