"""The contract in use. The database says which one it is; settings and files only name it the first time."""

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from chain.errors import ChainUnavailable, NotDeployed, WrongDeployment
from chain.node import identity
from chain.node.domain import Domain
from chain.support.pasted_text import plain_address


@dataclass(frozen=True)
class Deployment:
    """A contract in use.

    `origin_*` is the identity that keys are bound to; `block` is the first that can hold its events.
    """

    chain_id: int
    address: str
    origin_chain: int
    origin_contract: str
    block: int = 0


def deployment_path() -> Path:
    """Return where deploy_contract writes what it did."""
    return Path(settings.VAR) / "chain" / "contract.json"


def write_deployment(deployed: Deployment) -> None:
    """Keep a deployment, whole or not at all."""
    path = deployment_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(deployed), indent=2) + "\n")
    draft.replace(path)


def read_deployment() -> Deployment | None:
    """Return what deploy_contract wrote on this machine, None without its file. Raises WrongDeployment."""
    path = deployment_path()
    try:
        return Deployment(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise WrongDeployment(
            f"{path} is damaged. Remove it: it is not needed where the database knows its contract."
        ) from None


@dataclass(frozen=True)
class Tenure:
    """A contract, and the last block whose events count there; None while it is in use."""

    deployment: Deployment
    last_block: int | None = None


_kept: dict[tuple[str, ...], tuple[Tenure, ...]] = {}


def deployment() -> Deployment:
    """Return the contract in use: the one that the database belongs to.

    The first use writes it there, as contract.json or CHAIN_CONTRACT_ADDRESS name it. Later both must agree.
    Raises NotDeployed without a contract, WrongDeployment where something names another.
    """
    return tenures()[-1].deployment


def tenures() -> tuple[Tenure, ...]:
    """Return the contract in use, the last, and those whose place it took. Raises as `deployment`."""
    place = _place()
    if (known := _kept.get(place)) is None:
        known = _known_tenures() or _note_first(first_deployment())
        _check_names(known)
        # After a rollback the row may be gone. So it is remembered only once it is there for good.
        transaction.on_commit(partial(_kept.__setitem__, place, known))
    return known


def tenure_at(block: int) -> Tenure:
    """Return the contract whose events count in a block."""
    known = tenures()
    return next((tenure for tenure in known[:-1] if block <= (tenure.last_block or 0)), known[-1])


def first_block() -> int:
    """Return the first block that can hold an event that counts."""
    return tenures()[0].deployment.block


def domains() -> list[Domain]:
    """Return the domains that acts of this database were signed for, the one in force last."""
    return [_domain(tenure.deployment.chain_id, tenure.deployment.address) for tenure in tenures()]


def forget_deployment() -> None:
    """Ask this database again the next time."""
    _kept.pop(_place(), None)


def known_deployment() -> Deployment | None:
    """Return the contract that the database belongs to; None before the first use."""
    known = _known_tenures()
    return known[-1].deployment if known else None


def note_deployment(deployed: Deployment) -> Deployment:
    """Bind the database to a contract, unless it is bound already. Returns the one that it is bound to."""
    row, _ = _identities().get_or_create(last_block=None, defaults=_columns_of(deployed))
    return _deployment_of(row)


def _note_first(deployed: Deployment) -> tuple[Tenure, ...]:
    """Bind the database to a contract and, where that is a successor, to those whose place it took."""
    is_first = deployed.address == deployed.origin_contract
    line = [] if is_first else identity.predecessors_of(deployed.address)
    with transaction.atomic():
        begins = 0
        for address, last_block in line:
            known = replace(deployed, address=address, block=begins)
            columns = _columns_of(known) | {"last_block": last_block}
            _identities().get_or_create(contract=address, defaults=columns)
            begins = last_block + 1
        note_deployment(replace(deployed, block=max(begins, deployed.block)))
    return _known_tenures()


def _columns_of(deployed: Deployment) -> dict[str, Any]:
    return {
        "chain_id": deployed.chain_id,
        "contract": deployed.address,
        "origin_chain": deployed.origin_chain,
        "origin_contract": deployed.origin_contract,
        "first_block": deployed.block,
    }


def first_deployment() -> Deployment:
    """Return the contract that settings or file name, while the database knows none. Raises NotDeployed."""
    address, written = _named_contract(), read_deployment()
    if written is not None and address in ("", written.address):
        return written
    if not address:
        raise NotDeployed("No contract is deployed yet: run `manage.py deploy_contract`.")
    return _ask_node(address)


def note_successor(deployed: Deployment, last_block: int) -> None:
    """Bind the database to a successor, in one transaction: its predecessor counts up to `last_block`."""
    with transaction.atomic():
        _identities().filter(last_block=None).update(last_block=last_block)
        note_deployment(deployed)
    forget_deployment()


def _known_tenures() -> tuple[Tenure, ...]:
    rows = _identities().order_by(F("last_block").asc(nulls_last=True))
    return tuple(Tenure(_deployment_of(row), row.last_block) for row in rows)


def _identities() -> Any:
    return apps.get_model("chain", "ChainIdentity").objects


def _deployment_of(row: Any) -> Deployment:
    return Deployment(row.chain_id, row.contract, row.origin_chain, row.origin_contract, row.first_block)


def _named_contract() -> str:
    """CHAIN_CONTRACT_ADDRESS, checksummed; empty where it is not set."""
    setting = settings.CHAIN_CONTRACT_ADDRESS
    return plain_address(setting) if setting else ""


def _place() -> tuple[str, ...]:
    """Return the database, and what else names a contract. After a change the database is asked again."""
    database, path = connection.settings_dict, deployment_path()
    try:
        written = str(path.stat().st_mtime_ns)
    except FileNotFoundError:
        written = ""
    where = (str(database["NAME"]), str(database["HOST"]), str(database["PORT"]))
    return (*where, str(path), written, settings.CHAIN_CONTRACT_ADDRESS)


def _check_names(tenures: tuple[Tenure, ...]) -> None:
    """Raise WrongDeployment where the settings name another contract, or the file one that it never had."""
    address, known = _named_contract(), tenures[-1].deployment
    ours = f"this database belongs to contract {known.address} on chain {known.chain_id}"
    if address:
        if address != known.address:
            raise WrongDeployment(
                f"CHAIN_CONTRACT_ADDRESS is {address}, but {ours}. Set it to that one, or leave it out."
            )
        return
    written = read_deployment()
    ever = {(tenure.deployment.chain_id, tenure.deployment.address) for tenure in tenures}
    if written is not None and (written.chain_id, written.address) not in ever:
        raise WrongDeployment(
            f"{deployment_path()} names contract {written.address} on chain {written.chain_id}, but {ours}. "
            "Put back the chain folder and the database of one backup, or remove this file if it is a stray."
            f" If it names a successor, remove it, and run `succeed_contract --join {written.address}`."
        )


def _ask_node(address: str) -> Deployment:
    """Return what node and contract say of an address. Raises ChainUnavailable where they disagree."""
    chain_id = identity.chain_id()
    if (claimed := identity.domain_of(address)) != Domain(chain_id, address):
        raise ChainUnavailable(
            f"The node says that it is of chain {chain_id}, its contract that it is of chain "
            f"{claimed.chain_id}."
        )
    origin_chain, origin_contract = identity.origin_of(address)
    return Deployment(chain_id, address, origin_chain, origin_contract)


def domain() -> Domain:
    """Return the domain of signatures in force."""
    deployed = deployment()
    return _domain(deployed.chain_id, deployed.address)


def domain_at(block: int) -> Domain:
    """Return the domain of the acts whose events stand in a block."""
    deployed = tenure_at(block).deployment
    return _domain(deployed.chain_id, deployed.address)


@lru_cache(maxsize=8)
def _domain(chain_id: int, contract: str) -> Domain:
    """One object for each, so that its separator is hashed once."""
    return Domain(chain_id, contract)


def origin() -> tuple[int, str]:
    """Chain id and address of the first contract: what keys and envelopes are bound to."""
    deployed = deployment()
    return deployed.origin_chain, deployed.origin_contract
