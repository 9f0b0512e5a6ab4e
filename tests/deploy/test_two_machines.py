"""Two machines: one of everything is killed, and acts are accepted all the while."""

from collections.abc import Iterator

import pytest

from tests.deploy.two_machines import Sender, Site, two_machines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two ready machines."""
    with two_machines(tmp_path_factory.mktemp("machines")) as running:
        yield running


def test_one_of_everything_is_killed_and_acts_are_accepted_all_the_while(site: Site) -> None:
    _, api = site.register("Asha Verma", "asha@example.org")
    first, second = site.machines
    with Sender(api).sending() as sender:
        sender.wait_for_more("the start")
        for machine, name in (
            (first, "web"),
            (second, "worker"),
            (first, "beat"),
            (second, "web"),
            (first, "worker"),
        ):
            machine.services[name].kill()
            sender.wait_for_more(f"the end of {name}")
        site.nginx.kill()
        site.nginx.start()
        sender.wait_for_more("the end of nginx")
        site.redis.stop()
        sender.wait_for_more("the end of Redis")
        site.redis.start()
        sender.wait_for_more("Redis is back")
    for record, content in sender.accepted.items():
        api.wait_for_state(f"records/{record}", "confirmed")
        assert api.get(f"records/{record}/content").body == content
    site.wait_ready()
    print(len(sender.accepted), sender.longest_gap, sender.refused)
