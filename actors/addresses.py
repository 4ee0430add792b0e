"""Where the actors are reached: the one place that spells their addresses."""

from __future__ import annotations

from actors.base import Address

STORAGE: Address = "storage"
LEDGER: Address = "ledger"
JUDGE: Address = "judge"
ROUTER: Address = "router"
REQUESTS: Address = "requests"

_POOL = "pool:"
_RUN = "run:"


def pool_address(vendor: str) -> Address:
    return _POOL + vendor


def run_address(run: str) -> Address:
    return _RUN + run


def is_pool(address: Address) -> bool:
    return address.startswith(_POOL)


def run_at(address: Address) -> str:
    """The id of the run at `address`."""
    return address.removeprefix(_RUN)
