"""Measures how fast a file reaches a Kubo node through the store, against a bare upload to the same node.

The bare one is an HTTP request (requests) whose body is a generator of 1 MiB pieces, with the same options.
Ours takes the pieces that an encryptor makes, computes the CID beside the node, and compares. Every file is
new, and erased afterwards: a node writes nothing for blocks that it has.
"""

import os
import time
from collections.abc import Iterator

import requests

from records.crypto.mdr1 import SEALED_CHUNK_BYTES
from records.storage.cid import Cid
from records.storage.ipfs import IpfsStore
from records.storage.node import ADD_OPTIONS
from tests.kubo.build import KUBO
from tests.kubo.node import KuboNode

LIMITS: dict[str, float] = {}
FLOORS = {"store_client_ratio": 0.9}
MIB = 2**20
FILE_MIB = 256
ROUNDS = 4
BOUNDARY = "medrec-bench"


def measure() -> dict[str, float]:
    """Bare time over ours, the best of each; MiB a second. Builds Kubo if it is not there."""
    ours: list[float] = []
    bare: list[float] = []
    with KuboNode(KUBO.build()) as node:
        store = IpfsStore(node.url)
        for _ in range(ROUNDS):
            for times, put in ((ours, _put), (bare, _bare_put)):
                file = os.urandom(FILE_MIB * MIB)
                began = time.perf_counter()
                cid = put(node, store, file)
                times.append(time.perf_counter() - began)
                store.unpin(cid)
    return {
        "store_client_ratio": min(bare) / min(ours),
        "store_client_mib_per_second": FILE_MIB / min(ours),
    }


def _put(_: KuboNode, store: IpfsStore, file: bytes) -> Cid:
    return store.put(_pieces(file, SEALED_CHUNK_BYTES)).cid


def _bare_put(node: KuboNode, _: IpfsStore, file: bytes) -> Cid:
    def body() -> Iterator[bytes]:
        yield (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="bench"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        yield from _pieces(file, MIB)
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = requests.post(
        f"{node.url}/api/v0/add", params=ADD_OPTIONS, data=body(), headers=kind, timeout=600
    )
    answer.raise_for_status()
    return Cid.parse(answer.json()["Hash"])


def _pieces(file: bytes, size: int) -> Iterator[bytes]:
    return (file[at : at + size] for at in range(0, len(file), size))
