"""How models do as judges: what is counted of their verdicts, and the rates that follow.

A judge is to be watched, for its faults do not show in a single verdict.  It may pick by place
rather than by merit: then second looks flip.  It may decide nothing, or answer what nobody can
read.  It may favour its own family: then that wins more often than chance would have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from actors.protocol import JudgeVerdict


class JudgeRecord(Struct):
    """One model as a judge.

    `verdicts` are those that could be read, `ties`, `nones` and `narrow` some of them;
    `second_looks` those judged once more, of which `flips` came out otherwise.  Where some of the
    candidates, and not all, were of its own family, one of those would have been chosen
    `kin_by_chance` times, and was `kin_chosen` times.
    """

    judge: str
    verdicts: int = 0
    ties: int = 0
    nones: int = 0
    narrow: int = 0
    unreadable: int = 0
    second_looks: int = 0
    flips: int = 0
    kin_chosen: int = 0
    kin_by_chance: float = 0.0

    @property
    def tie_rate(self) -> float | None:
        return _rate(self.ties, self.verdicts)

    @property
    def flip_rate(self) -> float | None:
        return _rate(self.flips, self.second_looks)

    @property
    def unreadable_rate(self) -> float | None:
        return _rate(self.unreadable, self.verdicts + self.unreadable)

    @property
    def family_lift(self) -> float | None:
        """How many times as often as by chance it chose its own family: 1 is no preference."""
        return _rate(self.kin_chosen, self.kin_by_chance)

    def count(self, verdict: JudgeVerdict) -> None:
        if verdict.choice == "unreadable":
            self.unreadable += 1
            return
        self.verdicts += 1
        self.ties += verdict.choice == "tie"
        self.nones += verdict.choice == "none"
        self.narrow += verdict.narrow
        self.second_looks += verdict.second_look not in (None, "failed")
        self.flips += verdict.second_look == "flipped"
        if verdict.choice == "one" and 0 < verdict.kin < verdict.candidates:
            self.kin_chosen += verdict.chose_kin
            self.kin_by_chance += verdict.kin / verdict.candidates


def judge_records(verdicts: Iterable[JudgeVerdict]) -> tuple[JudgeRecord, ...]:
    """By judge, in the order of their names."""
    records: dict[str, JudgeRecord] = {}
    for verdict in verdicts:
        records.setdefault(verdict.judge, JudgeRecord(verdict.judge)).count(verdict)
    return tuple(records[judge] for judge in sorted(records))


def _rate(part: float, whole: float) -> float | None:
    return part / whole if whole else None
