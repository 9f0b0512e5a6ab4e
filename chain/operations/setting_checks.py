"""System checks: a chain setting with a bad value stops start-up, by its name."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from chain.errors import MissingKey
from chain.keys.portal_keys import relayer_keys
from chain.support.pasted_text import NotAnAddress, plain_address

# EIP-7825 takes no transaction over this; geth none over 131,072 bytes.
_GAS_CEILING = 16_000_000
_BYTES_CEILING = 130_000


@register("chain")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check that every CHAIN_ setting is in its range."""
    del app_configs, kwargs
    rules = [
        ("E001", "CHAIN_RPC_URL", str(settings.CHAIN_RPC_URL).startswith(("http://", "https://")), "a URL"),
        ("E002", "CHAIN_CONFIRMATIONS", 1 <= settings.CHAIN_CONFIRMATIONS <= 1000, "1 to 1,000 blocks"),
        (
            "E003",
            "CHAIN_BATCH_BYTES",
            4_000 <= settings.CHAIN_BATCH_BYTES <= _BYTES_CEILING,
            "4,000 to 130,000",
        ),
        ("E004", "CHAIN_BATCH_GAS", 500_000 <= settings.CHAIN_BATCH_GAS <= _GAS_CEILING, "0.5 to 16 million"),
        ("E005", "CHAIN_BATCH_WAIT", 0 <= settings.CHAIN_BATCH_WAIT <= 10, "0 to 10 seconds"),
        ("E006", "CHAIN_BLOCK_RANGE_MAX", settings.CHAIN_BLOCK_RANGE_MAX >= 1, "1 block or more"),
        ("E007", "CHAIN_MAX_FEE_GWEI", settings.CHAIN_MAX_FEE_GWEI > 0, "more than 0"),
        ("E008", "CHAIN_STUCK_BLOCKS", settings.CHAIN_STUCK_BLOCKS >= 1, "1 block or more"),
    ]
    errors: list[CheckMessage] = [
        Error(f"{name} is not right: it should be {rule}.", id=f"chain.{number}")
        for number, name, good, rule in rules
        if not good
    ]
    address = settings.CHAIN_CONTRACT_ADDRESS
    if address:
        try:
            plain_address(address)
        except NotAnAddress as problem:
            errors.append(Error(f"CHAIN_CONTRACT_ADDRESS: {problem}", id="chain.E009"))
    return errors + _check_relayer_keys()


def _check_relayer_keys() -> list[CheckMessage]:
    if not settings.CHAIN_RELAYER_KEYS:
        return []  # the file is made by make_keys, which has to run before it can be checked
    try:
        relayer_keys()
    except MissingKey as problem:
        return [Error(f"CHAIN_RELAYER_KEYS: {problem}", id="chain.E010")]
    return []
