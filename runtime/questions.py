"""What an engine's actors are asked, beside runs: how models, money and the engine itself stand."""

from __future__ import annotations

import time

from actors.addresses import LEDGER, ROUTER
from actors.protocol import AccountsListed, GetAccounts, ListModels, ModelsListed, ModelState
from runtime.kernel import ActorStopped, Future, System

ASK_S = 5.0
BOOKS_PAUSE_S = 0.002


def models(system: System) -> tuple[ModelState, ...]:
    """The models, and how they do; raises ActorStopped, or TimeoutError."""
    asked: Future[ModelsListed] = system.ask(ROUTER, lambda me: ListModels(me, "models"), ASK_S)
    return asked.get(ASK_S).models


def accounts(system: System) -> AccountsListed:
    """The limits, and how they stand; waits for books that are only being opened.

    Raises ActorStopped, or TimeoutError.
    """
    until = time.monotonic() + ASK_S
    while not (listed := _accounts(system)).open and time.monotonic() < until:
        time.sleep(BOOKS_PAUSE_S)
    return listed


def _accounts(system: System) -> AccountsListed:
    asked: Future[AccountsListed] = system.ask(
        LEDGER, lambda me: GetAccounts(me, "accounts"), ASK_S
    )
    return asked.get(ASK_S)


def ready(system: System) -> tuple[bool, str]:
    """Whether a vendor is available and the books can be written; else why not."""
    try:
        writes = _accounts(system).open
        states = models(system)
    except (ActorStopped, TimeoutError) as error:
        return False, str(error)
    if not writes:
        return False, "the books cannot be written"
    if any(state.available for state in states):
        return True, "ready"
    return False, "; ".join(f"{state.model.id}: {state.why}" for state in states)
