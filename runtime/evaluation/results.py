"""What has been asked, and what came of it: a file with a line as each run begins and ends."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runtime.evaluation.items import BadItems
from runtime.evaluation.variants import Task


class Header(Struct, frozen=True, tag="evaluation"):
    """The first line.  Runs are named after it, so that another file buys anew."""

    id: str


class Begun(Struct, frozen=True, tag="begun", kw_only=True):
    """A run is about to be asked for, with this budget."""

    task: str
    budget_usd: float


class LeftOut(Struct, frozen=True, tag="left_out"):
    """There was not money enough for it; the next time it may have more."""

    task: str


class Outcome(Struct, frozen=True, tag="outcome", kw_only=True):
    """What a run came to.  `right` is None where it could not be graded, and `why` says why not.

    `error` is the code of a run without an answer.  `terms` is what it was graded by.  `cut` when
    answers were shortened, or stages left out, to fit the money.
    """

    task: str
    item: str
    variant: str
    run: str
    text: str = ""
    model: str = ""
    right: bool | None = None
    why: str = ""
    terms: str = ""
    status: str = "complete"
    error: str | None = None
    cost_usd: float = 0.0
    seconds: float = 0.0
    calls: int = 0
    cut: bool = False


_Line = Header | Begun | LeftOut | Outcome
_DECODER = msgspec.json.Decoder(_Line)


class Results:
    """The file, open to be added to; what it holds by task.  Raises BadItems for another file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begun: dict[str, float] = {}
        self.outcomes: dict[str, Outcome] = {}
        self._id = ""
        self._file = self._opened()
        if not self._id:
            self._id = secrets.token_hex(8)
            self._write(Header(self._id))

    def __repr__(self) -> str:
        return f"<Results {self._path}: {len(self.outcomes)} outcomes>"

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._file.close()

    def name_of(self, task: Task) -> str:
        """Under which a task is asked for: again after a crash, and not bought again."""
        return f"evaluate-{self._id}-{task.digest}"

    @property
    def spent_usd(self) -> float:
        """What all that is in it has cost."""
        return sum(outcome.cost_usd for outcome in self.outcomes.values())

    def of(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Those that are there, in the order of `tasks`."""
        known = (self.outcomes.get(task.digest) for task in tasks)
        return [outcome for outcome in known if outcome is not None]

    def add(self, line: Begun | LeftOut | Outcome) -> None:
        """Before anything follows from it, it is in the file."""
        self._note(line)
        self._write(line)

    def regraded(self, outcome: Outcome, right: bool | None, why: str, terms: str) -> None:
        self.add(replace(outcome, right=right, why=why, terms=terms))

    def _opened(self) -> IO[bytes]:
        """The file, ours alone and read."""
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise BadItems(f"cannot use {self._path}: {(error.strerror or '').lower()}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load(file)
        except OSError as error:
            file.close()
            raise BadItems(f"{self._path} is in use by another evaluation") from error
        except BadItems:
            file.close()
            raise
        return file

    def _load(self, file: IO[bytes]) -> None:
        whole, _, torn = self._path.read_bytes().rpartition(b"\n")
        for number, line in enumerate((whole or torn).splitlines(), 1):
            self._read(line, number)
        if torn:  # a crash in the middle of a line: what follows begins a new one
            file.write(b"\n")

    def _read(self, line: bytes, number: int) -> None:
        try:
            told = _DECODER.decode(line)
        except msgspec.DecodeError as error:
            if number > 1:
                return  # a line that was never finished
            raise BadItems(f"{self._path} is no file of results: {error}") from error
        if isinstance(told, Header):
            self._id = self._id or told.id
        else:
            self._note(told)

    def _note(self, line: Begun | LeftOut | Outcome) -> None:
        match line:
            case Begun():
                self.begun[line.task] = line.budget_usd
            case LeftOut():
                self.begun.pop(line.task, None)
            case Outcome():
                self.begun.pop(line.task, None)
                self.outcomes[line.task] = line

    def _write(self, line: _Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
