"""Secrets of one's own folders: what is remembered is what the chain of epochs says, and sealed."""

import gc
import secrets

import pytest

from accounts.crypto.origin import Origin
from records.crypto.errors import EpochOutOfRange
from records.crypto.folders import LAST, folder_secret
from records.services import own_secrets
from records.services.own_secrets import WAYPOINTS, own_secret

ORIGIN = Origin(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


@pytest.mark.parametrize("epoch", [0, 1, WAYPOINTS - 1, WAYPOINTS, 40_000, LAST - 1, LAST])
def test_every_epoch_has_its_secret_the_first_time_and_the_next(epoch: int) -> None:
    root = secrets.token_bytes(32)
    expected = folder_secret(root, ORIGIN, 2, 7, epoch)
    assert [own_secret(root, ORIGIN, 2, 7, epoch) for _ in range(3)] == [expected] * 3


def test_neighbours_share_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    root, walks = secrets.token_bytes(32), []

    def walk(*place: object) -> bytes:
        walks.append(place)
        return folder_secret(*place)  # type: ignore[arg-type]

    monkeypatch.setattr(own_secrets, "folder_secret", walk)
    found = {own_secret(root, ORIGIN, 0, 1, epoch) for epoch in (3, 4, 3, WAYPOINTS - 2, WAYPOINTS)}
    assert (len(found), len(walks)) == (4, 2)


def test_roots_chains_generations_and_folders_stay_apart() -> None:
    root = secrets.token_bytes(32)
    elsewhere = Origin(1, ORIGIN.contract)
    places = [
        (root, ORIGIN, 0, 1),
        (secrets.token_bytes(32), ORIGIN, 0, 1),
        (root, elsewhere, 0, 1),
        (root, ORIGIN, 1, 1),
        (root, ORIGIN, 0, 2),
    ]
    for _ in range(2):
        assert len({own_secret(*place, 5) for place in places}) == len(places)


def test_what_is_remembered_opens_nothing_by_itself() -> None:
    root = secrets.token_bytes(32)
    found = own_secret(root, ORIGIN, 0, 1, WAYPOINTS - 1)
    kept = [one for one in gc.get_objects() if type(one) is list and len(one) == 1]
    sealed = [one[0] for one in kept if type(one[0]) is bytes and len(one[0]) == 12 + 32 + 16]
    assert sealed
    assert not any(found in one or root in one for one in sealed)


def test_an_epoch_that_there_is_not_is_refused() -> None:
    for generation, epoch in ((0, LAST + 1), (LAST + 1, 0), (0, -1)):
        with pytest.raises(EpochOutOfRange):
            own_secret(secrets.token_bytes(32), ORIGIN, generation, 1, epoch)
