"""What ballots do against judges that can be swayed, and that have their preferences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from bench.mitigations.trials import WAVERING, Effect, effect, votes, winners
from runtime.testing.calibrated import Attack, Author, Bias, Control, Ended, Mind, minds
from runtime.testing.calibrated.minds import model

_BY: dict[Attack, str] = {
    "instruction": "telling its judge so",
    "verdict": "a verdict of its own",
    "fence": "a fence of its own",
    "keyed fence": "a fence with a key",
    "nothing": "as many words of no such kind",
}


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
