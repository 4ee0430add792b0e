"""Requests under a name: begun once, joined while under way, answered again or carried on after.

What has ended is looked up where it is kept, which may be on the disk; so most of it may block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec.structs import replace

from actors.protocol import Order
from runtime.launching import Launcher
from runtime.names import Named, Names
from runtime.runs import Course, OnEvent, RunFuture, Runs, RunView, replayed

__all__ = ["Repeats"]


class Repeats:
    """Orders that have an `idempotency_key`.

    `view` says how a run stands, `after_failure` gives the course on which a failed one goes on.
    """

    def __init__(
        self,
        names: Names,
        runs: Runs,
        launcher: Launcher,
        view: Callable[[str], RunView | None],
        after_failure: Callable[[Order], Course],
    ) -> None:
        self._names = names
        self._runs = runs
        self._launcher = launcher
        self._view = view
        self._after_failure = after_failure
        self._naming = threading.Lock()

    def submit(self, order: Order, on_event: OnEvent | None, *, watched: bool) -> RunFuture:
        """Raises Conflict for another request, and as :meth:`Launcher.begin` does."""
        with self._naming:
            joined = self._begin_or_join(order, on_event, watched=watched)
            return joined or self._repeat(order, on_event, watched=watched)

    def submit_at_once(self, order: Order, on_event: OnEvent | None) -> RunFuture | None:
        """The same without blocking: None, and nothing begun, when it would."""
        if not self._naming.acquire(blocking=False):
            return None
        try:
            return self._begin_or_join(order, on_event, watched=False)
        finally:
            self._naming.release()

    def _begin_or_join(
        self, order: Order, on_event: OnEvent | None, *, watched: bool
    ) -> RunFuture | None:
        """None when the name stands for a run that has ended, or for another request's."""
        known = self._known(order)
        if known is None:
            return self._begin(Course(order), on_event, watched=watched)
        again = self._launcher.future(known.run, replay=True)
        same = known.fingerprint == order.body_hash
        return again if same and self._runs.join(again, on_event) else None

    def _repeat(self, order: Order, on_event: OnEvent | None, *, watched: bool) -> RunFuture:
        """What the end of the name's run comes to for who asks again."""
        course = Course(order)
        if (known := self._known(order)) is not None:
            view = self._view(known.run)
            match known.comes_to(order.body_hash, view):
                case "replay":
                    assert view is not None
                    return replayed(self._launcher.future(known.run, replay=True), view, on_event)
                case "carry on":
                    course = self._after_failure(replace(order, run=known.run))
                case "begin":
                    pass
        return self._begin(course, on_event, watched=watched)

    def _begin(self, course: Course, on_event: OnEvent | None, *, watched: bool) -> RunFuture:
        order, future = course.order, self._launcher.begin(course, on_event, watched=watched)
        self._names.give(order.key, order.idempotency_key or "", order.body_hash, future.run_id)
        return future

    def _known(self, order: Order) -> Named | None:
        return self._names.find(order.key, order.idempotency_key or "")
