"""pykka's refs as a way in: `ref.tell`, `ref.ask` and `ref.stop`, through the same mailboxes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pykka
from msgspec.structs import replace
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.base import Address, Command, Message
from runtime.kernel.asks import fail
from runtime.kernel.errors import ActorStopped
from runtime.kernel.future import Future

if TYPE_CHECKING:
    from runtime.kernel.system import System

__all__ = ["REF_ASK_S", "post"]

REF_ASK_S = 60.0
"""The deadline of `ref.ask`, whose own timeout only bounds how long its caller waits."""


def post(system: System, address: Address, envelope: Envelope[Any]) -> None:
    """What a ref puts into an inbox; any thread.

    A command that is asked gets a `reply_to` of its own.  Raises TypeError for what is no message
    (pykka's proxies are not served), and for asking with a message that has no reply.
    """
    message, future = envelope.message, envelope.reply_to
    if isinstance(future, Future):
        future.home = system.home
    if isinstance(message, _ActorStop):
        system.here(partial(_stop, system, address, future))
    elif not isinstance(message, Message):
        raise TypeError(f"{type(message).__name__} is no message: only those cross mailboxes")
    elif future is None:
        system.tell(address, message)
    elif isinstance(message, Command):
        reply_to = system.asks.new_address()
        command = replace(message, reply_to=reply_to)
        at = system.clock() + REF_ASK_S
        system.here(partial(system.asks.begin, address, reply_to, command, at, future))
    else:
        raise TypeError(f"{type(message).__name__} is no command: nothing answers it")


def _stop(system: System, address: Address, future: pykka.Future[Any] | None) -> None:
    cell = system.cells.get(address)
    if cell is not None:
        if future is not None:
            cell.settle_on_end(future)
        cell.order_stop_after_queue()
    elif future is not None:
        fail(future, ActorStopped(f"{address} is not there"))
