"""Who supervises whom, as data.

root            one for one
├── books       rest for one: the ledger rebuilds itself from storage
│   ├── storage
│   └── ledger
├── judge
├── routing     rest for one: a new router learns from new pools how their vendors do
│   ├── router
│   └── pools   one for one: a vendor's failure is its own
│       └── pool:<vendor> …
└── requests    the orchestrators, `run:<id>`: temporary, never restarted
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from actors.addresses import JUDGE, LEDGER, REQUESTS, ROUTER, STORAGE, pool_address, run_address
from actors.base import ChildSpec, Context, Restart, Strategy, SupervisorSpec
from actors.orchestrator import Orchestrator

Make: TypeAlias = Callable[[Context], Any]


@dataclass(frozen=True)
class Parts:
    """How each long-lived actor is made; `pools` by vendor."""

    storage: Make
    ledger: Make
    judge: Make
    router: Make
    pools: Mapping[str, Make]
    storage_blocks: bool = True


def tree(parts: Parts) -> SupervisorSpec:
    """The whole system, ready to start."""
    return SupervisorSpec(
        "root",
        Strategy.ONE_FOR_ONE,
        (
            SupervisorSpec(
                "books",
                Strategy.REST_FOR_ONE,
                (
                    ChildSpec(STORAGE, parts.storage, blocking=parts.storage_blocks),
                    ChildSpec(LEDGER, parts.ledger),
                ),
            ),
            ChildSpec(JUDGE, parts.judge),
            SupervisorSpec(
                "routing",
                Strategy.REST_FOR_ONE,
                (
                    ChildSpec(ROUTER, parts.router),
                    SupervisorSpec(
                        "pools",
                        Strategy.ONE_FOR_ONE,
                        tuple(ChildSpec(pool_address(v), m) for v, m in parts.pools.items()),
                    ),
                ),
            ),
            SupervisorSpec(REQUESTS, Strategy.ONE_FOR_ONE),
        ),
    )


def orchestrator(run: str) -> ChildSpec:
    """The spec of the actor that carries one request out."""
    return ChildSpec(run_address(run), Orchestrator, Restart.TEMPORARY)
