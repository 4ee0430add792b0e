"""What the options of a vote that cost calls find out, and what the one that saves them misses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from bench.mitigations.trials import SEED, WAVERING, Effect, effect, votes
from runtime.testing.calibrated import Bias, Ended, Mind, World, minds
from runtime.testing.calibrated.items import SCHEMA


class Wrong(Struct, frozen=True):
    """Of votes in which some candidates were right and some not: did the judge choose a wrong one,
    and was a wrong one returned?
    """

    verdict: Sequence[bool]
    answer: Sequence[bool]
    ended: Sequence[Ended]


def wrong(found: Sequence[Mind], count: int, **order: Any) -> Wrong:
    world = World(found, SEED)
    verdicts, answers = [], []
    for number, one in enumerate(ended := votes(found, count, **order)):
        response = one.body["response"]
        worths = [world.worth(number, each["content"]) for each in response["responses"]]
        if min(worths) < max(worths):
            is_wrong = worths[response["selected"]] < max(worths)
            verdicts.append(is_wrong and response["judge_decided"])
            answers.append(is_wrong)
    return Wrong(verdicts, answers, ended)


def asking_again(mitigation: str, bias: Bias, count: int, **order: Any) -> tuple[Effect, Effect]:
    """The share of wrong verdicts, and of wrong answers, without these options and with them."""
    found = minds(3, judges=4, bias=bias, right=0.6)
    without, with_it = wrong(found, count), wrong(found, count, **order)
    return (
        effect(
            mitigation,
            "wrong verdicts, where one could be right",
            (without.verdict, without.ended),
            (with_it.verdict, with_it.ended),
        ),
        effect(
            mitigation,
            "wrong answers, where one was right",
            (without.answer, without.ended),
            (with_it.answer, with_it.ended),
        ),
    )


def second_look(count: int) -> tuple[Effect, Effect]:
    """A judge that takes the first of close candidates in 80 %."""
    bias = Bias(first=0.8, wavers=WAVERING)
    return asking_again("second_look", bias, count, second_look=True)


def jury(count: int) -> tuple[Effect, Effect]:
    """Judges that misjudge one answer in five, each others."""
    bias = Bias(misjudges=0.2, wavers=WAVERING)
    return asking_again("judges: 3", bias, count, judges=3)


def early_stop(
    count: int, voters: int = 3, correlation: float = 0.0, misjudges: float = 0.05
) -> Effect:
    """Short answers by authors that are right in nine of ten, before a judge that errs too."""
    bias = Bias(misjudges=misjudges, wavers=WAVERING)
    found = minds(voters, bias=bias, right=0.9, correlation=correlation)
    world = World(found, SEED)

    def answered(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = votes(found, count, form="terse", voters=voters, **order)
        return [world.worth(n, one.text, "terse") == 1 for n, one in enumerate(ended)], ended

    measured = (
        f"right answers, {voters} voters, correlation {correlation}, judge errs in {misjudges:.0%}"
    )
    return effect("early_stop", measured, answered(), answered(early_stop=True))


def majority(count: int, misjudges: float) -> Effect:
    """Answers in form, decided by most of five voters, or by a judge that errs."""
    bias = Bias(misjudges=misjudges, wavers=WAVERING)
    found = minds(5, bias=bias, right=0.8)
    world = World(found, SEED)

    def answered(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = votes(found, count, form="terse", voters=5, schema=SCHEMA, **order)
        return [world.worth(n, one.text, "terse") == 1 for n, one in enumerate(ended)], ended

    measured = f"right answers in form, 5 voters, judge errs in {misjudges:.0%}"
    return effect("decide: majority", measured, answered(), answered(decide="majority"))
