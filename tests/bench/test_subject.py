"""What a benchmark says is what the measured program did."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench.results import multiples
from bench.subject import Figures, Subject, started

PROGRAM = """
from bench.subject import Crowd, serve

def votes(votes, concurrency):
    if concurrency == 3:
        return Crowd([0.001] * (votes - 1), ["it said no"])
    if concurrency == 4:
        raise SystemExit(1)
    print("this is said to nobody")
    return Crowd([0.001 * place for place in range(1, votes + 1)])

print("loading", flush=True)
print("loaded")
serve(votes)
"""


@pytest.fixture
def subject() -> Iterator[Subject]:
    with started("example", [sys.executable, "-c", PROGRAM]) as running:
        yield running


def test_latencies_are_those_of_the_votes_and_what_the_program_prints_is_no_answer(
    subject: Subject,
) -> None:
    figures = subject.run(100, 1)
    assert figures.p50_ms == pytest.approx(51)
    assert figures.p99_ms == pytest.approx(100)
    assert figures.failed == 0


def test_a_vote_that_fails_is_counted_with_its_reason(subject: Subject) -> None:
    figures = subject.run(10, 3)
    assert (figures.failed, figures.why) == (1, "it said no")


def test_a_program_that_ends_is_an_error(subject: Subject) -> None:
    with pytest.raises(RuntimeError, match="example has ended"):
        subject.run(10, 4)


def test_a_multiple_is_taken_within_each_round() -> None:
    rounds = [Figures(cpu, 1.0, 1.0, 1.0) for cpu in (2.0, 20.0, 3.0)]
    others = [Figures(cpu, 1.0, 1.0, 1.0) for cpu in (1.0, 10.0, 1.0)]
    assert multiples(rounds, others) == (2.0, 2.0, 3.0)
