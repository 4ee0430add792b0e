"""What each mitigation does against the fault it is meant for, in a calibrated world.

Each experiment asks the same items twice, without the mitigation and with it, of the same minds: so
what differs is the mitigation's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from actors.protocol import Mode
from bench.shares import difference, share
from runtime.testing.calibrated import (
    Attack,
    Author,
    Bias,
    Control,
    Ended,
    Form,
    Mind,
    World,
    minds,
    question,
)
from runtime.testing.calibrated.minds import model

SEED = 21
WAVERING = 0.35
"""Of a judge's own look, in worth: two looks at close candidates differ now and then."""


_BY: dict[Attack, str] = {
    "instruction": "telling its judge so",
    "verdict": "a verdict of its own",
    "fence": "a fence of its own",
    "keyed fence": "a fence with a key",
    "nothing": "as many words of no such kind",
}


class Effect(Struct, frozen=True):
    """One measured effect: what happened without the mitigation and with it, item by item."""

    mitigation: str
    measured: str
    without: Sequence[bool]
    with_it: Sequence[bool]
    calls_without: float
    calls_with: float

    def row(self) -> tuple[str, ...]:
        return (
            self.mitigation,
            self.measured,
            str(share(self.without)),
            str(share(self.with_it)),
            difference(self.without, self.with_it).points(),
            f"{self.calls_without:.2f} → {self.calls_with:.2f}",
        )


def votes(
    found: Sequence[Mind],
    count: int,
    *,
    form: Form = "explained",
    control: Control = "as it is",
    seed: int = SEED,
    **order: Any,
) -> list[Ended]:
    """One vote on each of so many items, in a world of its own."""
    world = World(found, seed, control)
    return [world.plan("vote", question(n, form), seed=n, **order) for n in range(count)]


def winners(ended: Sequence[Ended]) -> list[str]:
    """The models whose answers were chosen."""
    return [str(one.body["negotiated_model"]) for one in ended]


def mean_calls(ended: Sequence[Ended]) -> float:
    return sum(one.calls for one in ended) / len(ended)


def effect(
    mitigation: str,
    measured: str,
    without: tuple[Sequence[bool], Sequence[Ended]],
    with_it: tuple[Sequence[bool], Sequence[Ended]],
) -> Effect:
    calls = mean_calls(without[1]), mean_calls(with_it[1])
    return Effect(mitigation, measured, without[0], with_it[0], *calls)


# --- what a judge is told ---------------------------------------------------------------------


def swaying(attack: Attack, obeys: float = 0.9, wavers: float = WAVERING) -> list[Mind]:
    """Three authors of whom the first is always wrong, and speaks to the judge."""
    found = minds(3, bias=Bias(obeys=obeys, wavers=wavers), right=0.7)
    return [replace(found[0], author=Author(right=0.0, attack=attack)), *found[1:]]


def swayed(attack: Attack, count: int, control: Control) -> tuple[list[bool], list[Ended]]:
    """Whether the author that speaks to the judge wins."""
    found = swaying(attack)
    ended = votes(found, count, control=control)
    return [winner == found[0].model.id for winner in winners(ended)], ended


def fencing(attack: Attack, count: int, control: Control = "unfenced") -> Effect:
    name = {"unfenced": "fences", "undefused": "defused tags"}[control]
    measured = f"a wrong answer wins by {_BY[attack]}"
    return effect(name, measured, swayed(attack, count, control), swayed(attack, count, "as it is"))


# --- what a judge prefers ---------------------------------------------------------------------


def rotation(count: int, first: float = 0.8) -> Effect:
    """Authors of equal quality before a judge that takes whom it sees first."""
    found = minds(3, bias=Bias(first=first), right=1.0)

    def luckiest(control: Control) -> tuple[list[bool], list[Ended]]:
        won = winners(ended := votes(found, count, control=control))
        most = max(set(won), key=won.count)
        return [winner == most for winner in won], ended

    measured = f"wins of the luckiest of 3 equals, {first:.0%} go to the first"
    return effect("rotation", measured, luckiest("unrotated"), luckiest("as it is"))


def other_family(count: int, own: float = 0.3) -> Effect:
    """A judge that likes its own manner, when one of another family could judge instead."""
    found = minds(3, bias=Bias(own=own, wavers=WAVERING), right=1.0)
    manners = ("Certainly.", "Let us see.", "In short:", "Well now.", "To begin:")
    found = [
        replace(mind, author=replace(mind.author, manner=manner))
        for mind, manner in zip(found, manners, strict=True)
    ]
    first = found[0]
    kin = replace(found[3], model=model(first.model.family, 9), author=first.author)
    found = [*found[:3], kin, found[4]]

    def first_wins(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = votes(found, count, **order)
        return [winner == first.model.id for winner in winners(ended)], ended

    measured = "wins of the best judge's kin among 3 equals"
    return effect(
        "judge of another family", measured, first_wins(review=kin.model.id), first_wins()
    )


def style(trait: str, count: int) -> Effect:
    """What no ballot takes away: a judge that likes long, or formatted, answers."""
    bias = Bias(long=0.3 * (trait == "long"), formatted=0.3 * (trait != "long"), wavers=WAVERING)
    found = minds(3, bias=bias, right=1.0)
    plain, styled = found[0].author, Author(1.0, sentences=8, formatted=trait != "long")
    if trait != "long":
        styled = replace(styled, sentences=plain.sentences)
    marked = [replace(found[0], author=styled), *found[1:]]

    def first_wins(found: Sequence[Mind]) -> tuple[list[bool], list[Ended]]:
        ended = votes(found, count)
        return [winner == found[0].model.id for winner in winners(ended)], ended

    measured = f"wins of one of 3 equals that is plain, then {trait}"
    return effect("(none)", measured, first_wins(found), first_wins(marked))


# --- what is asked once more ------------------------------------------------------------------


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


# --- what is not asked any more ---------------------------------------------------------------


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


# --- loops ------------------------------------------------------------------------------------

ROUNDS = 4


def plans(found: Sequence[Mind], count: int, mode: Mode, **order: Any) -> list[Ended]:
    """One plan for each of so many tasks, in so many rounds at most."""
    world = World(found, SEED)
    return [
        world.plan(mode, question(n, "plan"), seed=n, iterations=ROUNDS, **order)
        for n in range(count)
    ]


def converged(count: int) -> Effect:
    """Critics that see most of what is lacking, and authors that mend what they are told."""
    found = minds(3, right=0.8, mends=0.1, spoils=0.02)
    world = World(found, SEED)

    def complete(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = plans(found, count, "adversarial", **order)
        return [world.worth(n, one.text, "plan") == 1 for n, one in enumerate(ended)], ended

    measured = f"plans that lack nothing, after {ROUNDS} rounds at most"
    return effect("stop: converged", measured, complete(), complete(stop="converged"))


def keep_best(count: int, misjudges: float = 0.0) -> Effect:
    """Authors that spoil about as much as they mend."""
    bias = Bias(misjudges=misjudges, wavers=0.05)
    found = [replace(one, bias=bias) for one in minds(3, right=0.8, mends=0.3, spoils=0.1)]
    world = World(found, SEED)

    def worse(**order: Any) -> tuple[list[bool], list[Ended]]:
        ended = plans(found, count, "refine", **order)
        first = [one.body["response"]["initial_response"] for one in ended]
        worths = [world.worth(n, text, "plan") for n, text in enumerate(first)]
        return [world.worth(n, one.text, "plan") < worths[n] for n, one in enumerate(ended)], ended

    measured = f"plans worse than the first draft, judge errs in {misjudges:.0%}"
    return effect("keep_best", measured, worse(), worse(keep_best=True))
