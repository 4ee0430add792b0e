"""The mitigations of a verdict do what they are for: the numbers that must hold, by fixed seeds.

`python -m bench.verdicts` measures the same with more votes, and prints it.
"""

import json
from collections import Counter

import pytest
from msgspec.structs import replace

from actors.protocol import Mode
from bench import mitigations
from bench.mitigations import plans, swaying, votes, winners
from bench.shares import Share, difference, share
from runtime.testing.calibrated import ATTACKS, Asked, Attack, Bias, World, minds, question
from runtime.testing.calibrated.reading import ballot_in

VOTES = 60


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack != "nothing"])
def test_who_speaks_to_the_judge_wins_no_more_than_who_does_not(attack: Attack) -> None:
    """Of a judge that obeys whatever it takes for an instruction; without fences it always does."""
    speaking = swaying(attack, obeys=1.0, wavers=0.0)
    silent = swaying("nothing", obeys=1.0, wavers=0.0)
    speaker = speaking[0].model.id
    one, other = World(speaking, seed=6), World(silent, seed=6)
    for number in range(VOTES):
        swayed = one.plan("vote", question(number), seed=number)
        unswayed = other.plan("vote", question(number), seed=number)
        assert one.worth(number, swayed.text) == one.worth(number, unswayed.text)
    assert set(winners(votes(speaking, 20, control="unfenced"))) == {speaker}


def test_where_a_candidate_stands_does_not_decide_in_the_long_run() -> None:
    """A judge that takes the first of equals in 80 %: each of three has a third of 2,000 votes."""
    won = Counter(winners(votes(minds(3, right=1.0, bias=Bias(first=0.8)), 2000)))
    assert len(won) == 3
    assert all(abs(count / 2000 - 1 / 3) < 0.03 for count in won.values())


def test_a_judge_has_no_kin_among_the_candidates_where_another_can_judge() -> None:
    """Kin of the best judge wins more only where that judge is named."""
    found = mitigations.other_family(300)
    assert share(found.without).interval[0] > 0.4
    assert share(found.with_it).interval[0] < 1 / 3 < share(found.with_it).interval[1]


def test_a_second_look_finds_out_verdicts_that_a_place_has_decided() -> None:
    """Few wrong ones are left, and fewer wrong answers returned, for less than one more call."""
    verdicts, answers = mitigations.second_look(400)
    assert sum(verdicts.with_it) * 4 < sum(verdicts.without)
    assert sum(answers.with_it) < sum(answers.without)
    assert verdicts.calls_without == 4 < verdicts.calls_with < 5


def test_a_jury_is_wrong_less_often_than_its_best_judge() -> None:
    """Where each misjudges something else."""
    verdicts, answers = mitigations.jury(250)
    for found in (verdicts, answers):
        fewer = difference(found.without, found.with_it)
        assert fewer.value + fewer.reach < 0
    assert verdicts.calls_with == 6


def test_stopping_early_saves_calls_and_no_right_answers() -> None:
    """Where authors err by themselves, a thousand items come to the same."""
    found = mitigations.early_stop(1000)
    assert abs(difference(found.without, found.with_it).value) <= 0.005
    assert found.calls_without == 4
    assert found.calls_with < 2.5


def test_a_majority_is_right_more_often_than_a_judge_that_errs() -> None:
    """And costs a call less."""
    found = mitigations.majority(200, misjudges=0.2)
    more = difference(found.without, found.with_it)
    assert more.value - more.reach > 0
    assert (found.calls_without, found.calls_with) == (6, 5)


def test_a_loop_that_ends_when_it_has_converged_saves_rounds() -> None:
    """And returns no fewer plans that lack nothing."""
    found = mitigations.converged(100)
    assert found.calls_without == 9
    assert found.calls_with < 6
    assert sum(found.with_it) >= sum(found.without)


@pytest.mark.parametrize("mode", ["refine", "adversarial"])
def test_a_plan_that_was_judged_worse_is_never_returned(mode: Mode) -> None:
    """Whatever the judge is like: the returned one has won, or never lost to another."""
    bias = Bias(misjudges=0.3, wavers=0.3, first=0.4, unreadable=0.2)
    found = [replace(one, bias=bias) for one in minds(3, mends=0.3, spoils=0.2)]
    replaced = 0
    for number, ended in enumerate(plans(found, 80, mode, keep_best=True)):
        best = first = ended.asked[0].text
        for asked in ended.asked[1:]:
            best = chosen(asked) or best
        assert ended.text == best, number
        replaced += best != first
    assert 20 < replaced < 80


def chosen(asked: Asked) -> str | None:
    """The candidate that a judge has chosen; None where it was asked for no verdict, or gave
    none.
    """
    ballot = ballot_in(asked.messages)
    if ballot is None or not (asked.text or "").startswith("{"):
        return None
    choice = json.loads(str(asked.text))["choice"]
    return next(one.text.strip() for one in ballot.candidates if one.label == choice)


def test_keeping_the_best_returns_hardly_a_plan_worse_than_the_first() -> None:
    """Where authors spoil as much as they mend, and the judge wavers a little."""
    found = mitigations.keep_best(100)
    assert sum(found.without) > 20
    assert sum(found.with_it) < 6


def test_an_interval_holds_near_the_ends() -> None:
    """Wilson's: none of 50 may be as many as 7 %."""
    low, high = Share(0, 50).interval
    assert low == 0
    assert high == pytest.approx(0.0714, abs=0.001)


def test_a_difference_is_taken_pair_by_pair() -> None:
    """Where all pairs differ alike, chance has no part in it."""
    found = difference([True, False, True], [False, True, True])
    assert found.value == pytest.approx(0.0)
    assert found.reach > 0.5
    assert difference([0, 0, 0], [1, 1, 1]).reach == 0
