"""One future for trio, asyncio and plain threads.

It is a `pykka.Future`, so pykka's refs hand it out and its get hooks, `map`, `filter`, `join` and
`reduce` work; it differs where a running engine needs it to.

1. It is settled once; settling it again changes nothing and raises nothing.
2. `get` on the engine's own thread raises :class:`WrongThread` instead of waiting for itself.
3. Callbacks run on the thread that settles; one that raises is logged and hinders nobody.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import pykka

from runtime.kernel.awaiting import LoopBridge, settled
from runtime.kernel.errors import WaitTimeout, WrongThread

if TYPE_CHECKING:
    from pykka._future import GetHookFunc
    from pykka._types import OptExcInfo

__all__ = ["Future", "Home"]

logger = logging.getLogger("planhub.kernel")

T = TypeVar("T")
J = TypeVar("J")
M = TypeVar("M")
R = TypeVar("R")


class Home:
    """Where an engine's futures are settled: its thread, and its bridges to asyncio loops."""

    __slots__ = ("_bridges", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._bridges: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopBridge] = (
            WeakKeyDictionary()
        )

    def bridge(self, loop: asyncio.AbstractEventLoop) -> LoopBridge:
        """The one bridge to `loop`; called on that loop's thread."""
        bridge = self._bridges.get(loop)
        if bridge is None:
            bridge = self._bridges[loop] = LoopBridge()
        return bridge


class Future(pykka.Future[T]):
    """A value that will be here, or the exception that came instead of it."""

    # As they are at first, of all futures.
    _sources: tuple[Future[Any], ...] = ()
    _settled = False
    _value: Any = None
    _error: BaseException | None = None

    def __init__(self, home: Home | None = None) -> None:
        super().__init__()
        self.home = home
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[Future[T]], None]] = []

    def __repr__(self) -> str:
        if not self._settled:
            return "<Future derived>" if self._get_hook else "<Future pending>"
        return f"<Future {type(self._error).__name__ if self._error else 'answered'}>"

    # --- settling ---

    def set(self, value: T | None = None) -> None:
        """Settles with a value; without effect when settled before or derived by a get hook."""
        self._settle(value, None)

    def set_exception(self, exc_info: OptExcInfo | None = None) -> None:
        """Settles with an exception, by default the one being handled."""
        kind, error, traceback = exc_info or sys.exc_info()
        if error is None:
            error = kind() if kind is not None else RuntimeError("failed for no told reason")
        self.fail(error.with_traceback(traceback))

    def fail(self, error: BaseException) -> None:
        """Settles with `error`, which `get` and `await` raise."""
        self._settle(None, error)

    def cancel(self) -> bool:
        """Settles with CancelledError; False when it was settled before.

        What was asked is not told of it.
        """
        return self._settle(None, CancelledError())

    def _settle(self, value: Any, error: BaseException | None) -> bool:
        with self._lock:
            if self._settled or self._get_hook is not None:
                return False
            self._value, self._error, self._settled = value, error, True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._call(callback)
        return True

    def _call(self, callback: Callable[[Future[T]], None]) -> None:
        try:
            callback(self)
        except Exception:
            logger.exception("a future's callback failed")

    # --- asking ---

    def done(self) -> bool:
        """True once settled; of a derived future, once what it derives from is."""
        if self._get_hook is not None:
            return bool(self._sources) and all(source.done() for source in self._sources)
        return self._settled

    @property
    def cancelled(self) -> bool:
        return isinstance(self._error, CancelledError)

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Calls `callback` with this future once settled, on the settling thread; or now."""
        if self._get_hook is not None:
            raise TypeError("a derived future has no end of its own: add to what it derives from")
        with self._lock:
            if not self._settled:
                self._callbacks.append(callback)
                return
        self._call(callback)

    def remove_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Takes `add_done_callback` back; without effect when it has been called."""
        with self._lock:
            self._callbacks = [kept for kept in self._callbacks if kept is not callback]

    def get(self, timeout: float | None = None) -> T:
        """The value, waited for `timeout` seconds (None: as long as it takes).

        Raises:
            WaitTimeout: not settled in time.
            WrongThread: not settled, and this is the thread that has to do it.
            Exception: what it was settled with.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._settled:
            self._wait(timeout)
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def _wait(self, timeout: float | None) -> None:
        if self.home is not None and threading.get_ident() == self.home.thread:
            raise WrongThread("get() on the engine's own thread would wait for itself: await it")
        latch = threading.Event()

        def release(_: Future[T]) -> None:
            latch.set()

        self.add_done_callback(release)
        try:
            if not latch.wait(timeout):
                raise WaitTimeout(f"not settled within {timeout} s")
        finally:
            self.remove_done_callback(release)

    def __await__(self) -> Generator[Any, None, T]:
        """Waits in trio or asyncio; a hook set by hand is run in place, as pykka does."""
        for source in self._sources:
            yield from source._until_settled()
        yield from self._until_settled()
        return self.get(timeout=0)

    def _until_settled(self) -> Generator[Any, None, None]:
        if self._get_hook is None and not self._settled:
            bridge = self.home.bridge if self.home is not None else _own_bridge
            yield from settled(self, bridge).__await__()

    # --- pykka's derived futures, which remember what they wait for ---

    def set_get_hook(self, func: GetHookFunc[T]) -> None:
        """Makes this a derived future; without effect when it is settled."""
        with self._lock:
            if not self._settled:
                super().set_get_hook(func)

    def map(self, func: Callable[[T], M]) -> Future[M]:
        return self._derived(super().map(func))

    def filter(self: Future[Iterable[J]], func: Callable[[J], bool]) -> Future[Iterable[J]]:
        return self._derived(super().filter(func))

    def join(self: Future[Any], *futures: pykka.Future[Any]) -> Future[Iterable[Any]]:
        return self._derived(super().join(*futures), *futures)

    def reduce(self: Future[Iterable[J]], func: Callable[[R, J], R], *args: R) -> Future[R]:
        return self._derived(super().reduce(func, *args))

    def _derived(self, future: pykka.Future[M], *others: pykka.Future[Any]) -> Future[M]:
        derived = cast("Future[M]", future)
        ours = [future for future in (self, *others) if isinstance(future, Future)]
        derived._sources = tuple(root for one in ours for root in one._sources or (one,))
        return derived


def _own_bridge(_: asyncio.AbstractEventLoop) -> LoopBridge:
    return LoopBridge()
