"""`planhub evaluate --judge`: recorded votes before another judge, graded by what it chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.domain import ballots
from actors.domain.money import nano_from_usd, usd
from actors.errors import BudgetExceeded
from runtime.cli.rejudge import Judged, ask
from runtime.cli.replay import replay, replayable
from runtime.evaluation.grading import grade
from runtime.evaluation.results import Outcome, Results
from runtime.evaluation.spending import Purse
from runtime.evaluation.variants import Task
from runtime.planhub import Planhub
from runtime.storage import journal


class _Call(Struct):
    role: str
    cost_usd: float


class _Body(Struct):
    calls: list[_Call] = []


class _Vote(Struct, frozen=True):
    """A vote as it was recorded: its ballot, and what its own judges cost."""

    paper: ballots.Paper
    texts: tuple[str, ...]
    judges_usd: float


class Rejudging:
    """Asks `judge` about every recorded vote; the candidates are not bought again."""

    def __init__(
        self, hub: Planhub, database: Path, results: Results, purse: Purse, judge: str
    ) -> None:
        self._hub = hub
        self._database = database
        self._results = results
        self._purse = purse
        self._judge = judge
        self.left_out = 0

    def names(self, tasks: Sequence[Task]) -> list[str]:
        """The digests under which the results are, of those that there may be."""
        return [self._name(task) for task in tasks]

    def run(self, tasks: Sequence[Task], folder: Path, on_end: Callable[[Outcome], None]) -> None:
        for task in tasks:
            outcome = self._results.outcomes.get(task.digest)
            if outcome is None or outcome.error or self._name(task) in self._results.outcomes:
                continue
            if (vote := self._vote(outcome.run)) is not None:
                self._one(task, outcome, vote, folder, on_end)

    def _one(
        self,
        task: Task,
        outcome: Outcome,
        vote: _Vote,
        folder: Path,
        on_end: Callable[[Outcome], None],
    ) -> None:
        if (budget := self._purse.take(None, 1)) is None:
            self.left_out += 1
            return
        try:
            judged = ask(self._hub, self._judge, vote.paper, usd(budget))
        except BudgetExceeded as error:
            self._purse.settle(budget, nano_from_usd((error.cost or {}).get("spent_usd", 0.0)))
            self.left_out += 1
            return
        self._purse.settle(budget, nano_from_usd(judged.cost_usd))
        told = self._outcome(task, outcome, vote, judged, folder)
        self._results.add(told)
        on_end(told)

    def _outcome(
        self, task: Task, outcome: Outcome, vote: _Vote, judged: Judged, folder: Path
    ) -> Outcome:
        """Where it does not choose, the answer is what the run returned.  The time is that of the
        run with its own judge.
        """
        text = vote.texts[judged.choice] if isinstance(judged.choice, int) else outcome.text
        graded = grade(task.item, text, folder)
        return replace(
            outcome,
            task=self._name(task),
            variant=f"{outcome.variant} judged by {self._judge}",
            run=judged.runs[-1],
            text=text,
            right=graded.right,
            why=graded.why or ("" if isinstance(judged.choice, int) else judged.reason),
            cost_usd=outcome.cost_usd - vote.judges_usd + judged.cost_usd,
        )

    def _vote(self, run: str) -> _Vote | None:
        """None for a run without candidates.  Raises CommandFailed for one that was not kept."""
        recorded = journal.load(self._database, run)
        if recorded is None or recorded.body is None:
            return None
        ballot = replay(replayable(run, recorded), recorded).ballot
        if ballot is None:
            return None
        paper = ballots.ballot(ballot.question, ballot.texts, ballot.seed, ballot.rubric)
        calls = msgspec.json.decode(recorded.body, type=_Body).calls
        judges_usd = sum(call.cost_usd for call in calls if call.role == "judge")
        return _Vote(paper, ballot.texts, judges_usd)

    def _name(self, task: Task) -> str:
        return f"{task.digest} judged by {self._judge}"
