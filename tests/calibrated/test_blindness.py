"""Whom a vote has judge, and what that judge is told, in many worlds drawn from a seed."""

from functools import cache
from random import Random
from typing import Any

from msgspec.structs import replace

from runtime.testing.calibrated import Author, Bias, Ended, Mind, World, question
from runtime.testing.calibrated.minds import model
from runtime.testing.calibrated.reading import ballot_in

FAMILIES = ("heron", "osprey", "plover", "curlew")
SEEDS = range(300)


def drawn_minds(draw: Random) -> list[Mind]:
    """Two to seven models of up to four families; some vendors are dead."""
    dead = draw.choice([0.0, 0.0, 0.3, 0.6])
    rows = sorted({(draw.choice(FAMILIES), draw.randint(1, 10)) for _ in range(draw.randint(2, 7))})
    bias = Bias(wavers=0.3, unreadable=draw.choice([0.0, 0.0, 0.5, 1.0]))
    made = []
    for family, weight in rows:
        row = replace(model(family, weight), provider=f"{family}-{weight}-works")
        author = Author(0.6, manner=f"By way {FAMILIES.index(family)}:")
        made.append(Mind(row, author, bias=bias, dead=draw.random() < dead))
    return made


def drawn_order(draw: Random, minds: list[Mind]) -> dict[str, Any]:
    ids = [mind.model.id for mind in minds]
    named = tuple(draw.choices(ids, k=draw.randint(2, 3))) if draw.random() < 0.2 else ()
    return {
        "voters": len(named) or draw.randint(2, 5),
        "voter_models": named,
        "review": draw.choice(ids) if draw.random() < 0.2 else None,
        "on_partial": draw.choice(["accept", "refill"]),
        "seed": draw.getrandbits(32),
        "second_look": draw.random() < 0.3,
        "judges": draw.choice([1, 1, 1, 3]),
        "rubric": draw.choice([(), ("It is right.",)]),
    }


@cache
def votes() -> list[tuple[list[Mind], dict[str, Any], Ended]]:
    """The votes that were answered, each in a world of its own."""
    answered = []
    for seed in SEEDS:
        draw = Random(seed)
        minds = drawn_minds(draw)
        order = drawn_order(draw, minds)
        ended = World(minds, seed).plan("vote", question(seed), **order)
        if ended.http_status == 200:
            answered.append((minds, order, ended))
    return answered


def test_no_name_of_a_model_or_vendor_is_in_a_judges_prompt() -> None:
    """Neither of a candidate's, nor of any other."""
    ballots = 0
    for minds, _, ended in votes():
        models = [mind.model for mind in minds]
        names = {name for m in models for name in (m.id, m.upstream, m.provider, m.family)}
        for asked in ended.asked:
            if ballot_in(asked.messages) is not None:
                ballots += 1
                told = asked.messages.decode().lower()
                assert not [name for name in names if name in told]
    assert ballots > len(SEEDS) / 2


def test_no_voter_judges_while_another_model_lives_unless_it_was_named() -> None:
    """And where one does, the result says so."""
    parties = 0
    for minds, order, ended in votes():
        response = ended.body["response"]
        voters = {one["model"] for one in response["responses"] + response["failed"]}
        asked = {one.model for one in ended.asked if ballot_in(one.messages) is not None}
        alive = {mind.model.id for mind in minds if not mind.dead}
        if asked & voters & alive - {order["review"]}:
            parties += 1
            assert not alive - voters
        heard = {one["judge"] for one in response.get("verdicts", ())} | {response["judge"]}
        assert bool(heard & voters) == ("judge_is_voter" in ended.body["reasons"])
    assert parties > 10
