"""Two machines on PostgreSQL, Redis, Kubo and geth, nginx in front: anything dies, and acts are accepted."""

from collections.abc import Callable

from tests.deploy.two_machines import Sender, Site
from tests.deploy.two_machines import two_machines as ready_machines
from tests.faults.stage import Stage


def two_machines(stage: Stage, rounds: int) -> None:
    """A round: one program or server dies or hangs while records are sent, and comes back."""
    with ready_machines(stage.folder) as site:
        _, api = site.register("Asha Verma", "asha@example.org")
        sender = Sender(api)
        faults = _faults(site, sender)
        with sender.sending():
            sender.wait_for_more("the start")
            for number in range(rounds):
                name, fault = faults[number % len(faults)]
                fault()
                with stage.healing():
                    sender.wait_for_more(name)
        try:
            with stage.healing():
                sender.wait_all_confirmed()
        except AssertionError as problem:
            raise AssertionError("; ".join([str(problem), *site.outbox()])) from problem
        _judge(stage, site, sender)


def _judge(stage: Stage, site: Site, sender: Sender) -> None:
    for record, content in sender.accepted.items():
        same = sender.api.get(f"records/{record}/content").body == content
        stage.expect(f"{record} has other bytes", same)
    listed = sender.listed()
    stage.expect("a record is listed twice", len(listed) == len(set(listed)))
    stage.expect("an accepted record is not listed", set(sender.accepted) <= set(listed))
    failures = [reason for reason in sender.refused if reason.startswith("500")]
    stage.expect(f"{len(failures)} answers were 500: {failures[:1]}", not failures)
    site.wait_ready()
    said = site.machines[0].manage("reconcile", "--deep", check=False)
    stage.expect(f"reconcile: {said}", "no difference" in said)
    stage.acts = {"confirmed": len(sender.accepted)}


def _faults(site: Site, sender: Sender) -> list[tuple[str, Callable[[], None]]]:
    """Each fault by what it does to whom."""
    kills = [
        (f"{name} of the {machine.folder.name} machine was killed", machine.services[name].kill)
        for name in ("web", "worker", "beat")
        for machine in site.machines
        if name in machine.services
    ]

    def stop_redis() -> None:
        site.redis.stop()
        sender.wait_for_more("Redis was stopped")
        site.redis.start()

    return [
        *kills,
        ("nginx was killed", site.restart_nginx),
        ("Redis came back", stop_redis),
        ("PostgreSQL was restarted", site.restart_postgres),
        ("Kubo was restarted", site.restart_kubo),
        ("the Ethereum node hung", site.hang_geth),
        ("the Ethereum node was killed", site.restart_geth),
    ]
