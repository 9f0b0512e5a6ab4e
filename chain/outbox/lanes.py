"""Lanes: how several relayer keys share the acts.

An act's lane comes from its subject, or from what it builds on, so that acts which build on each other go
through the same key. Each key that can send serves a range of lanes; where one cannot, the others take its.
"""

from chain.models import Sender

LANES = 256
ALL_LANES = range(LANES)


def lane_of(subject: str) -> int:
    """Return the lane of an act about an account: its address's last byte."""
    return int(subject[-2:], 16)


def lanes_of(sender: Sender, addresses: list[str]) -> range:
    """Return what a sender serves among the relayer's keys. One that waits counts itself in, to try again."""
    able = Sender.objects.filter(address__in=addresses, held=False, paused_reason="")
    sending = {*able.values_list("address", flat=True), sender.address}
    order = [address for address in addresses if address in sending]
    place = order.index(sender.address)
    return range(LANES * place // len(order), LANES * (place + 1) // len(order))
