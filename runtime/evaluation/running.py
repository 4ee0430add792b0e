"""Asks what has not been asked yet, several runs at a time, within the purse."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue

from msgspec import Struct

from actors.domain.money import nano_from_usd, usd
from actors.errors import BudgetExceeded, PlanError, UnpricedModel
from runtime.evaluation.grading import grade
from runtime.evaluation.results import Begun, LeftOut, Outcome, Results
from runtime.evaluation.spending import Purse
from runtime.evaluation.variants import Task
from runtime.frontends.wire import PlanResult
from runtime.planhub import PlanFuture, Planhub

LONGEST_S = 86_500.0
"""A run has ended by then, whatever its deadline."""

OnEnd = Callable[[Outcome], None]


class _Live(Struct):
    task: Task
    future: PlanFuture
    budget_nano: int


class Evaluation:
    """One pass over `tasks`; `left_out` are those that the purse does not pay for."""

    def __init__(
        self, hub: Planhub, results: Results, purse: Purse, folder: Path, at_once: int
    ) -> None:
        self._hub = hub
        self._results = results
        self._purse = purse
        self._folder = folder
        self._at_once = at_once
        self._live: dict[int, _Live] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._number = 0
        self.left_out: list[Task] = []

    def run(self, tasks: Iterable[Task], on_end: OnEnd) -> None:
        """Returns when all have been asked, or no more can be paid for.

        Those that had begun when an earlier pass was cut off come first, each with the budget it
        had: so it is found again, and not bought again.
        """
        waiting = deque(sorted(tasks, key=lambda task: task.digest not in self._results.begun))
        while waiting or self._live:
            self._begin_some(waiting)
            if self._live:
                live = self._live.pop(self._ended.get(timeout=LONGEST_S))
                if (outcome := self._settled(live)) is not None:
                    on_end(outcome)

    def _begin_some(self, waiting: deque[Task]) -> None:
        """As many as may run at once; what is too dear with nobody else running is left out."""
        while waiting and len(self._live) < self._at_once:
            if self._begin(waiting[0]):
                waiting.popleft()
            elif self._live:
                return
            else:
                self.left_out.append(waiting.popleft())

    def regrade(self, tasks: Iterable[Task]) -> None:
        """Answers whose terms have changed since."""
        for task in tasks:
            outcome = self._results.outcomes.get(task.digest)
            terms = task.item.terms.decode()
            if outcome is not None and outcome.error is None and outcome.terms != terms:
                graded = grade(task.item, outcome.text, self._folder)
                self._results.regraded(outcome, graded.right, graded.why, terms)

    def _begin(self, task: Task) -> bool:
        """False when its budget must be waited for, or will never be there."""
        budget = self._budget(task)
        if budget is None:
            return False
        self._results.add(Begun(task=task.digest, budget_usd=usd(budget)))
        request = task.request(usd(budget))
        future = self._hub.submit(request, idempotency_key=self._results.name_of(task))
        self._number = number = self._number + 1
        self._live[number] = _Live(task, future, budget)
        future.add_done_callback(lambda _: self._ended.put(number))
        return True

    def _budget(self, task: Task) -> int | None:
        """What a run may need at most, so that nothing of it is cut as long as there is money."""
        if (before := self._results.begun.get(task.digest)) is not None:
            budget = nano_from_usd(before)
            return self._purse.take(budget, budget)
        foretold = self._hub.dry_run(task.request())
        most = foretold.cost.most_usd
        least = nano_from_usd(foretold.cost.needed_usd)
        return self._purse.take(None if most is None else nano_from_usd(most), least)

    def _settled(self, live: _Live) -> Outcome | None:
        """None for a run that there was not money enough for: it says nothing about its variant."""
        try:
            outcome = self._answered(live.task, live.future.result(timeout=0))
            left_out = False
        except PlanError as error:
            outcome = _failed(live, error)
            left_out = isinstance(error, BudgetExceeded) and not isinstance(error, UnpricedModel)
        self._purse.settle(live.budget_nano, nano_from_usd(outcome.cost_usd))
        if left_out:
            self.left_out.append(live.task)
            self._results.add(LeftOut(live.task.digest))
            return None
        self._results.add(outcome)
        return outcome

    def _answered(self, task: Task, result: PlanResult) -> Outcome:
        """The answer of another model in the place of a single one is none of its answers."""
        error = None
        if task.variant.model is not None and result.routing_reason != "explicit-model":
            error = "another_model"
        graded = grade(task.item, result.text, self._folder)
        return Outcome(
            task=task.digest,
            item=task.item.id,
            variant=task.variant.name,
            run=result.id,
            text=result.text,
            model=result.negotiated_model,
            right=False if error else graded.right,
            why=graded.why,
            terms=task.item.terms.decode(),
            status=result.status,
            error=error,
            cost_usd=result.cost.spent_usd,
            seconds=_seconds(result),
            calls=result.cost.calls,
            cut="budget" in result.reasons or any(call.clamped for call in result.calls),
        )


def _failed(live: _Live, error: PlanError) -> Outcome:
    """A run without an answer is a wrong answer to whoever wanted one."""
    cost = error.cost or {}
    calls = error.calls or []
    ends = [call["started_ms"] + call["latency_ms"] for call in calls]
    return Outcome(
        task=live.task.digest,
        item=live.task.item.id,
        variant=live.task.variant.name,
        run=error.run or live.future.run_id,
        right=False,
        why=error.text,
        status="failed",
        error=error.code,
        cost_usd=cost.get("spent_usd", 0.0),
        seconds=max(ends, default=0.0) / 1000,
        calls=len(calls),
    )


def _seconds(result: PlanResult) -> float:
    """What the run itself took, also when its answer was only found again."""
    ends = (call.started_ms + call.latency_ms for call in result.calls)
    return max(ends, default=0.0) / 1000
