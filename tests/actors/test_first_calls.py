"""The calls that a run begins with: reserved with its admission, and who is not any more."""

from __future__ import annotations

import pytest

from actors.calls import Calls
from actors.first_calls import FirstCalls
from actors.narrator import Narrator
from actors.protocol import (
    Admit,
    Admitted,
    Begin,
    Candidate,
    Complete,
    Order,
    Release,
    Reserve,
    Reserved,
    Step,
)
from actors.strategies.actions import StartCall
from actors.strategies.plan import Call, Outcome
from tests.fakes import FakeContext
from tests.world import model

ORDER = Order("r", "vote", b"[]", 0, 60.0, 0)


class Nobody:
    """Is told, and says nothing."""

    def steps(self, key: int, outcome: Outcome) -> tuple[Step, ...]:
        return ()

    def call_ended(self, key: int, outcome: Outcome) -> None: ...


def start(key: int) -> StartCall:
    return StartCall(key, Call("voter", b"[]", (Candidate(model(f"m{key}"), 0.0),), 100))


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("run:r")


@pytest.fixture
def first(context: FakeContext) -> FirstCalls:
    """Two calls, asked for."""
    begin = Begin("asker", "t", ORDER)
    calls = Calls(context, begin, 1060.0, Nobody(), Narrator(context, ORDER))
    first = FirstCalls(context, begin, 1060.0, calls)
    first.waiting = [start(1), start(2)]
    first.ask()
    return first


def asked(context: FakeContext) -> Admit:
    (message,) = context.take("ledger")
    assert isinstance(message, Admit)
    return message


def granted(admit: Admit) -> Admitted:
    reserved = (Reserved(each.ticket, 1, each.max_tokens, clamped=False) for each in admit.first)
    return Admitted(admit.ticket, admit.want_nano, tuple(reserved))


def ordered(context: FakeContext) -> list[str]:
    return [message.ticket for message in context.take("pool:a") if isinstance(message, Complete)]


def test_they_are_ordered_as_they_are_reserved(context: FakeContext, first: FirstCalls) -> None:
    """Nothing more is asked of the ledger."""
    first.start(granted(asked(context)))
    assert ordered(context) == ["r.1", "r.2"]
    assert context.take("ledger") == []


def test_what_is_cancelled_meanwhile_is_released(context: FakeContext, first: FirstCalls) -> None:
    first.cancel(1)
    first.start(granted(asked(context)))
    assert ordered(context) == ["r.2"]
    assert context.take("ledger") == [Release("r.1")]


def test_what_has_come_meanwhile_asks_for_itself(context: FakeContext, first: FirstCalls) -> None:
    first.waiting.append(start(3))
    first.start(granted(asked(context)))
    assert ordered(context) == ["r.1", "r.2"]
    (message,) = context.take("ledger")
    assert isinstance(message, Reserve)
    assert (message.ticket, message.model) == ("r.3", "m3")


def test_less_than_they_want_is_shared_out(context: FakeContext, first: FirstCalls) -> None:
    """Each asks again, for its part."""
    admit = asked(context)
    first.start(Admitted("r", admit.least_nano))
    assert ordered(context) == []
    messages = [message for message in context.take("ledger") if isinstance(message, Reserve)]
    assert [message.model for message in messages] == ["m1", "m2"]
    assert sum(message.max_tokens for message in messages) < 200
