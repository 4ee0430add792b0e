"""How it runs: everything of planhub that waits.

`runtime` imports `actors`, never the other way.  General layout, in the order to read it:

- `planhub`: the embedding API, which this package exports; `engine`: the composition root, the only
  file that wires everything; `runs`: who waits for which run.
- `kernel`: cells, mailboxes, futures, timers, supervision; knows nothing of models or money.
- `vendors`, `dialects`, `transport`: from a pool's order to a vendor's answer.
- `storage`: the books and the journal; `validation`: schemas that may take long.
- `client`: planhub from another process, over the socket.
- `frontends`, `cli`, `keys`, `config`: who may ask, for what, and with which settings.
- `foretelling`: dry runs; `evaluation`: what ways of asking are worth.
- `testing`: a scripted vendor, for your tests and ours.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.errors import AllModelsFailed as AllModelsFailed
    from actors.errors import BadRequest as BadRequest
    from actors.errors import BudgetExceeded as BudgetExceeded
    from actors.errors import Cancelled as Cancelled
    from actors.errors import DeadlineExceeded as DeadlineExceeded
    from actors.errors import PlanError as PlanError
    from runtime.client import AsyncClient as AsyncClient
    from runtime.client import Client as Client
    from runtime.config import Config as Config
    from runtime.config import ConfigError as ConfigError
    from runtime.frontends.wire import DryRun as DryRun
    from runtime.frontends.wire import Orchestration as Orchestration
    from runtime.frontends.wire import PlanRequest as PlanRequest
    from runtime.frontends.wire import PlanResult as PlanResult
    from runtime.frontends.wire import Policy as Policy
    from runtime.frontends.wire import RequestPart as RequestPart
    from runtime.planhub import PlanFuture as PlanFuture
    from runtime.planhub import Planhub as Planhub

_HOMES = {
    "actors.errors": (
        "AllModelsFailed",
        "BadRequest",
        "BudgetExceeded",
        "Cancelled",
        "DeadlineExceeded",
        "PlanError",
    ),
    "runtime.client": ("AsyncClient", "Client"),
    "runtime.config": ("Config", "ConfigError"),
    "runtime.frontends.wire": (
        "DryRun",
        "Orchestration",
        "PlanRequest",
        "PlanResult",
        "Policy",
        "RequestPart",
    ),
    "runtime.planhub": ("PlanFuture", "Planhub"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it is: parts of the package are quick to import alone."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
