"""The Judge: ballots asked for, verdicts read, each model watched."""

from __future__ import annotations

import json

from actors.base import Down
from actors.judge import Judge
from actors.protocol import (
    Ballot,
    BallotBuilt,
    BuildBallot,
    Reading,
    ReadVerdict,
    RepairVerdict,
    Verdict,
    VerdictUnreadable,
)
from tests.fakes import FakeContext

QUESTION = b'[{"role":"user","content":"Why?"}]'
LABELS = ("K7Q", "M3P")


def reading(text: str, repaired: bool = False) -> ReadVerdict:
    return ReadVerdict("run:1", "t", Reading("gpt", text, LABELS, QUESTION, repaired))


def saying(choice: str) -> str:
    findings = [{"label": label, "finding": "ok"} for label in LABELS]
    return json.dumps({"findings": findings, "comparison": "M3P errs", "choice": choice})


def test_a_ballot_goes_to_its_asker() -> None:
    """With a label for each candidate, the order they are shown in, and the verdict's form."""
    ctx = FakeContext("judge")
    Judge(ctx).receive(BuildBallot("run:1", "t", Ballot(QUESTION, ("yes", "no"), 7)))
    ((address, built),) = ctx.told
    assert address == "run:1"
    assert isinstance(built, BallotBuilt)
    assert (built.ticket, len(set(built.labels)), sorted(built.order)) == ("t", 2, [0, 1])
    assert json.loads(built.schema)["properties"]["choice"]["enum"] == [
        *built.labels,
        "tie",
        "none",
    ]


def test_a_verdict_is_the_candidates_index() -> None:
    """In the reason the labels have become the user's indices."""
    ctx = FakeContext("judge")
    Judge(ctx).receive(reading(saying("K7Q")))
    assert ctx.take() == [Verdict("t", 0, "responses[1] errs")]


def test_an_unreadable_reply_is_repaired_once_and_no_more() -> None:
    """After its repair it is no verdict."""
    ctx = FakeContext("judge")
    judge = Judge(ctx)
    judge.receive(reading("1 beats 3"))
    (repair,) = ctx.take()
    assert isinstance(repair, RepairVerdict)
    assert json.loads(repair.messages)[-2] == {"role": "assistant", "content": "1 beats 3"}
    judge.receive(reading("1 beats 3", repaired=True))
    assert ctx.take() == [VerdictUnreadable("t", repair.problem)]


def test_it_says_how_much_it_has_done() -> None:
    """And has nothing to do with the end of those who asked."""
    judge = Judge(FakeContext("judge"))
    judge.receive(BuildBallot("run:1", "t", Ballot(QUESTION, ("yes", "no"), 7)))
    for text in (saying("M3P"), saying("tie"), saying("none"), "hm"):
        judge.receive(reading(text))
    judge.receive(Down("run:1", "normal"))
    assert repr(judge) == "<Judge: 1 ballots, 3 verdicts, 1 unreadable>"
