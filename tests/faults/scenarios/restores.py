"""Database and staging folder are put back from a backup, alone and together, while the chain goes on."""

import shutil
import time
from pathlib import Path

from records.crypto.mdr1 import HEADER_BYTES, PREFIX
from tests.faults import patients
from tests.faults.databases import Database, copy_database, drop_databases
from tests.faults.world import NotHealed, World

WAYS = ("database and staging", "database", "staging")
_SETTLED_WITHIN = 60.0


def restores(world: World, rounds: int) -> None:
    """A round: a backup, work that reaches the chain or just does not, the restore, other people's parts."""
    people = world.ask(patients.meet)
    headers = Headers(world.folder)
    known: dict[str, str] = {}
    with world.working_after_restores():
        world.wait_healed()
    for number in range(rounds):
        way = WAYS[number % len(WAYS)]
        with world.working_after_restores():
            state = world.ask(patients.before_backup, people, world.accepted, number)
            known |= state["records"]
            world.wait_healed()
        backup = Backup(world)
        with world.working_after_restores():
            known |= world.ask(patients.after_backup, people, world.accepted, state)
            if number % 2 == 0:
                world.wait_healed()
        known |= world.ask(patients.at_the_last_moment, people, world.accepted, state)
        handed = world.ask(patients.newest_handed)
        headers.look()
        backup.restore(way)
        backup.drop()
        over = world.ask(patients.send_other_parts, people, state)
        assert over or way == "staging", f"{way}: an upload was gone on with"
        headers.look()
        with world.working_after_restores():
            wait_settled(world)
            world.wait_healed()
            world.ask(patients.run_key_tasks, people, world.accepted)
            world.wait_healed()
            told = way != "staging"
            problems = world.ask(patients.judge_people, people, known, handed if told else handed - 1)
        assert not problems, f"{way}: {problems}"
        headers.look()
    assert headers.shared() == [], "two ciphertexts share a header"


def wait_settled(world: World) -> None:
    """Until a worker has done what the restore asks for. NotHealed if it has not."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    while not world.ask(patients.is_settled):
        if time.monotonic() > deadline:
            raise NotHealed("the restore was not settled")
        time.sleep(0.2)


class Backup:
    """The database and the staging folder as they are now. Nobody works meanwhile."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._staging = world.folder / "staging.backup"
        self._database = Database(f"{world.database.name}_backup")
        copy_database(world.database, self._database)
        shutil.rmtree(self._staging, ignore_errors=True)
        if (world.folder / "staging").exists():
            shutil.copytree(world.folder / "staging", self._staging)

    def restore(self, way: str) -> None:
        """Put back what the way says. Chain, store and what the machine has seen stay."""
        if "database" in way:
            copy_database(self._database, self._world.database)
        if "staging" in way:
            shutil.rmtree(self._world.folder / "staging", ignore_errors=True)
            if self._staging.exists():
                shutil.copytree(self._staging, self._world.folder / "staging")

    def drop(self) -> None:
        """It is not needed any more."""
        drop_databases(self._database)


class Headers:
    """The headers (salt, commitment) of all encrypted files in store and staging, at each look."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / "store", folder / "staging")
        self._seen: dict[bytes, set[bytes]] = {}

    def look(self) -> None:
        """Note each file's header with the first chunk after it, of parts that wait, too."""
        for folder in self._folders:
            for path in folder.rglob("*"):
                data = path.read_bytes() if path.is_file() else b""
                at = data.find(PREFIX)
                while at >= 0:
                    end = data.find(PREFIX, at + 1)
                    whole = data[at : end if end >= 0 else len(data)]
                    self._seen.setdefault(whole[:HEADER_BYTES], set()).add(whole)
                    at = end

    def shared(self) -> list[str]:
        """Those under which two files stand that differ."""
        return [header.hex() for header, files in self._seen.items() if len(files) > 1]
