"""EIP-1559 fees, in wei per gas. No database, no node."""

from dataclasses import dataclass

from django.conf import settings

from chain.errors import Paused


@dataclass(frozen=True)
class Fees:
    """What a transaction offers."""

    max_fee: int
    priority_fee: int


def fee_ceiling() -> int:
    """Return the most that is offered, as it is set."""
    return int(settings.CHAIN_MAX_FEE_GWEI * 10**9)


def market_fees(base_fee: int, tip: int, ceiling: int) -> Fees:
    """Room for the base fee to double, up to the ceiling. Paused if the next block costs more."""
    if base_fee + tip > ceiling:
        raise Paused("The network's fees are above the ceiling that is set (CHAIN_MAX_FEE_GWEI).")
    return Fees(min(2 * base_fee + tip, ceiling), tip)


def replacement_fees(old: Fees, market: Fees, ceiling: int) -> Fees | None:
    """Return the market's fees, at least 12.5% (and one wei) above the old, as nodes ask.

    None above the ceiling.
    """
    max_fee = max(_raised(old.max_fee), market.max_fee)
    priority_fee = max(_raised(old.priority_fee), market.priority_fee)
    if max_fee > ceiling:
        return None
    return Fees(max_fee, min(priority_fee, max_fee))


def _raised(fee: int) -> int:
    return max(-(-fee * 9 // 8), fee + 1)
