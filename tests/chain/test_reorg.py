"""Looking for the common ancestor while another process does the same."""

import pytest
from django.utils import timezone

from chain.errors import Reorganised
from chain.indexer.reorg import find_ancestor
from chain.models import Block
from chain.node import client
from tests.chain_node import ChainNode


def test_who_finds_the_blocks_gone_leaves_the_rewind_to_whoever_was_first(
    chain: ChainNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.mine(4)
    head = client.head()
    for number in range(head.number - 3, head.number + 1):
        Block.objects.create(number=number, hash=f"0x{number:064x}", time=timezone.now())
    real = client.block

    def rewound_meanwhile(number: int | str) -> client.Head | None:
        Block.objects.all().delete()
        return real(number)

    monkeypatch.setattr(client, "block", rewound_meanwhile)
    with pytest.raises(Reorganised):
        find_ancestor(head, patient=True)
