"""The simulated vendor: what it says, when, and how it fails when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from actors.domain import ballots, prompts
from actors.protocol import CallAnswered
from runtime.dialects.openai import OpenAIDialect
from runtime.transport.port import HttpFailure, HttpResponse, Part
from runtime.transport.simulated import (
    SIMULATED_ALIASES,
    SimulatedSettings,
    SimulatedTransport,
    simulated_models,
)
from runtime.transport.simulated_texts import Turn, reply
from tests.runtime.dialects.calls import call

QUESTION = b'[{"role":"user","content":"Design a REST API for a task management app"}]'
MODELS = [model.id for model in simulated_models()]
SCHEMA = msgspec.json.encode(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "kind": {"enum": ["rest", "rpc"]},
            "endpoints": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "version": {"type": "integer", "minimum": 1},
        },
        "required": ["title", "kind", "endpoints", "version"],
        "additionalProperties": False,
    }
)


class Vendor:
    """The simulated vendor behind its dialect; `outcomes` as they come, with the time."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self.transport = SimulatedTransport(settings)
        self.outcomes: list[tuple[str, Any]] = []
        self._dialect = OpenAIDialect("simulated://vendor")
        self._changed = trio.Event()

    def start(
        self,
        id: str,
        model: str,
        messages: bytes = QUESTION,
        *,
        part: Part | None = None,
        stream: bool = False,
        **order: Any,
    ) -> None:
        work = call(model, msgspec.json.decode(messages), **order)
        request = self._dialect.encode(work, stream=stream)

        def done(result: HttpResponse | HttpFailure) -> None:
            answer = isinstance(result, HttpResponse)
            self.outcomes.append((id, self._dialect.decode(work, result) if answer else result))
            self._changed.set()

        self.transport.start(id, request, done, part)

    async def ask(self, model: str, messages: bytes = QUESTION, **order: Any) -> Any:
        self.start("ask", model, messages, **order)
        await self.outcome()
        return self.outcomes[-1][1]

    async def outcome(self) -> None:
        """Waits for the next one."""
        self._changed = trio.Event()
        await self._changed.wait()

    async def text(self, model: str, messages: bytes = QUESTION, **order: Any) -> str:
        answered = await self.ask(model, messages, **{"max_tokens": 4096, **order})
        assert isinstance(answered, CallAnswered)
        return answered.answer.text


@asynccontextmanager
async def vendor(**settings: Any) -> AsyncIterator[Vendor]:
    served = Vendor(SimulatedSettings(**settings))
    async with trio.open_nursery() as nursery:
        await nursery.start(served.transport.serve)
        yield served
        nursery.cancel_scope.cancel()


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.trio
async def test_an_answer_is_to_the_question_and_says_that_it_is_simulated(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A heavier model says more; usage and text are the same every time."""
    sizes = []
    async with vendor() as sim:
        for model in MODELS:
            answered = await sim.ask(model, max_tokens=4096)
            assert answered == await sim.ask(model, max_tokens=4096)
            text, usage = answered.answer.text, answered.answer.usage
            assert "Simulated" in text
            assert "/tasks" in text
            assert not any(name in text for name in MODELS)
            assert usage.input > 0
            assert usage.output == len(text.encode()) // 4 + 1
            sizes.append(len(text))
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.trio
async def test_a_ballot_gets_a_verdict(autojump_clock: trio.testing.MockClock) -> None:
    """For the candidate that says most, whatever its label and its place; repaired as well."""
    async with vendor() as sim:
        texts = [await sim.text(model) for model in reversed(MODELS)]
        for seed in range(5):
            paper = ballots.ballot(QUESTION, texts, seed)
            again = ballots.repair(paper.messages, "eh?", paper.labels, "it is no JSON")
            for messages in (paper.messages, again):
                said = await sim.text("sim-sage", messages)
                Draft202012Validator(msgspec.json.decode(paper.schema)).validate(
                    msgspec.json.decode(said)
                )
                choice, reason, _ = ballots.verdict(said, paper.labels)
                assert choice == len(texts) - 1
                assert "Simulated" in reason


@pytest.mark.trio
async def test_a_critique_has_its_form_and_an_improved_answer_heeds_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Fewer findings are left after it."""
    async with vendor() as sim:
        plan = await sim.text("sim-clerk")
        first = await sim.text("sim-sage", prompts.critique(QUESTION, plan, None))
        found = msgspec.json.decode(first)
        assert set(found) == {"findings", "summary"}
        assert set(found["findings"][0]) == {"severity", "claim", "evidence", "fix"}
        better = await sim.text("sim-clerk", prompts.refinement(QUESTION, plan, first, None))
        assert len(better) > len(plan)
        assert await sim.text("sim-clerk", prompts.improvement(QUESTION, plan, None)) == better
        left = await sim.text("sim-sage", prompts.critique(QUESTION, better, None))
        assert len(msgspec.json.decode(left)["findings"]) < len(found["findings"])


@pytest.mark.trio
async def test_an_answer_made_of_others_says_more_than_each(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It goes by none of them alone, and says that it is simulated too."""
    async with vendor() as sim:
        texts = [await sim.text(model) for model in MODELS[1:]]
        messages = prompts.synthesis(QUESTION, texts, 1, None)
        fused = await sim.text("sim-clerk", messages)
        assert len(fused) > max(map(len, texts))
        assert f"Simulated answer made of {len(texts)} others" in fused


@pytest.mark.trio
async def test_a_schema_is_met_in_every_role(autojump_clock: trio.testing.MockClock) -> None:
    """By answers, improved and fused answers and repairs; a critique of one is still a critique."""
    async with vendor() as sim:
        asked = prompts.question(QUESTION, SCHEMA)
        answer = await sim.text("sim-clerk", asked)
        for messages in (
            asked,
            prompts.refinement(QUESTION, answer, "Too short", SCHEMA),
            prompts.improvement(QUESTION, answer, SCHEMA),
            prompts.synthesis(QUESTION, [answer, answer], 1, SCHEMA),
            prompts.repair(asked, "no JSON", ["it is not JSON"], SCHEMA),
        ):
            said = msgspec.json.decode(await sim.text("sim-clerk", messages))
            Draft202012Validator(msgspec.json.decode(SCHEMA)).validate(said)
        said = await sim.text("sim-sage", prompts.critique(QUESTION, answer, SCHEMA))
        assert "findings" in msgspec.json.decode(said)


@pytest.mark.trio
async def test_seeds_make_structured_answers_differ(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The vendor's and the order's alike."""
    asked = prompts.question(QUESTION, SCHEMA)
    texts = set()
    for settings in ({}, {"seed": 1}):
        async with vendor(**settings) as sim:
            texts |= {await sim.text("sim-clerk", asked, seed=seed) for seed in range(5)}
    assert len(texts) > 3


@pytest.mark.trio
async def test_a_limit_cuts_an_answer_off(autojump_clock: trio.testing.MockClock) -> None:
    """And its usage with it; a conversation beyond the context overflows it."""
    async with vendor() as sim:
        answer = (await sim.ask("sim-sage", max_tokens=20)).answer
        assert answer.truncated
        assert (len(answer.text), answer.usage.output) == (80, 20)
        long = msgspec.json.encode([{"role": "user", "content": "x" * 200_000}])
        assert (await sim.ask("sim-sprinter", long)).kind == "context_overflow"
        assert (await sim.ask("sim-unheard-of")).kind == "fatal"


@given(st.lists(st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), st.text())))
def test_no_conversation_makes_it_raise(turns: list[Turn]) -> None:
    """Not even an empty one."""
    assert reply(9, turns, Random(0))


# --- when, and how it fails -----------------------------------------------------------------------


@pytest.mark.trio
async def test_the_lighter_the_model_the_sooner_it_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Side by side, by trio's clock."""
    async with vendor(jitter=0) as sim:
        for model in MODELS:
            sim.start(model, model)
        begin = trio.current_time()
        while len(sim.outcomes) < len(MODELS):
            await sim.outcome()
    assert [id for id, _ in sim.outcomes] == MODELS[::-1]
    assert 0.55 < trio.current_time() - begin < 0.65


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("fail_rate", "transient"),
        ("rate_limit_rate", "rate_limited"),
        ("garbage_rate", "malformed"),
        ("hang_rate", "timeout"),
    ],
)
async def test_it_fails_as_often_as_it_is_told_to(
    fault: str, kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Always, never, or about as often as the share says; the same again for the same seed."""
    for share, expected in ((1.0, {40}), (0.0, {0}), (0.5, set(range(10, 31)))):
        runs = []
        for _ in range(2):
            async with vendor(delay_ms=10, seed=3, **{fault: share}) as sim:
                runs.append([getattr(await sim.ask("sim-clerk"), "kind", "ok") for _ in range(40)])
        assert runs[0] == runs[1]
        assert runs[0].count(kind) in expected


@pytest.mark.trio
async def test_a_stream_is_the_same_answer_in_the_same_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It begins sooner, and goes on until the answer would have come whole."""
    async with vendor(delay_ms=1000, jitter=0.0) as sim:
        whole = await sim.ask("sim-sage")
        deltas = OpenAIDialect("simulated://vendor").deltas()
        shown: list[tuple[float, str]] = []
        begun = trio.current_time()

        def part(piece: bytes) -> None:
            shown.append((trio.current_time() - begun, deltas.feed(piece)))

        streamed = await sim.ask("sim-sage", part=part, stream=True)
        assert streamed == whole
        assert "".join(text for _, text in shown) == whole.answer.text
        times = [at for at, _ in shown]
        assert len(times) > 20
        assert times == sorted(times)
        assert times[0] == pytest.approx(0.4)
        assert 0.9 < times[-1] < 1.0
        assert trio.current_time() - begun == pytest.approx(1.0, abs=0.01)


@pytest.mark.trio
async def test_a_stream_that_is_given_up_says_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    shown: list[bytes] = []
    async with vendor(delay_ms=1000, jitter=0.0) as sim:
        sim.start("a", "sim-sage", part=shown.append, stream=True)
        await trio.sleep(0.6)
        assert shown
        sim.transport.abort("a")
        shown.clear()
        await trio.sleep(2)
        assert shown == []
        assert [(id, outcome.kind) for id, outcome in sim.outcomes] == [("a", "cancelled")]


@pytest.mark.trio
async def test_an_aborted_call_ends_at_once_and_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The others are not touched."""
    async with vendor(delay_ms=1000) as sim:
        for id in "abc":
            sim.start(id, "sim-clerk")
        sim.transport.abort("b")
        sim.transport.abort("b")
        sim.transport.abort("nobody")
        assert sim.outcomes == []
        await trio.sleep(0.001)
        assert [(id, outcome.kind) for id, outcome in sim.outcomes] == [("b", "cancelled")]
        await trio.sleep(2)
        assert sorted(id for id, _ in sim.outcomes) == ["a", "b", "c"]
        assert repr(sim.transport).startswith("<SimulatedTransport: 0 in flight")


@pytest.mark.trio
async def test_thousands_of_given_up_calls_leave_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What was aborted does not lie in the heap until its time would have come."""
    async with vendor(delay_ms=3_600_000) as sim:
        for i in range(5_000):
            sim.start(str(i), "sim-clerk")
            sim.transport.abort(str(i))
            if i % 100 == 0:
                await trio.sleep(0.001)
        assert len(sim.transport._due) < 500
        await trio.sleep(0.001)
    assert len(sim.outcomes) == 5_000


@pytest.mark.trio
async def test_the_end_of_serving_ends_every_call(autojump_clock: trio.testing.MockClock) -> None:
    """As `cancelled`; and what comes later finds no connection."""
    async with vendor(delay_ms=1000) as sim:
        sim.start("a", "sim-clerk")
    assert [(id, outcome.kind) for id, outcome in sim.outcomes] == [("a", "cancelled")]
    sim.start("late", "sim-clerk")
    await trio.sleep(0.001)
    assert sim.outcomes[1][1].kind == "connect"


def test_there_is_a_model_for_every_role_of_the_examples() -> None:
    """A judge of weight 9, a planner of 7 beside it, three voters that are not the judge."""
    weights = sorted(model.weight for model in simulated_models())
    assert len(set(weights)) == 4
    assert weights[-1] >= 9
    assert weights[-2] >= 8
    prices = [model.price.output for model in simulated_models() if model.price]
    assert prices == sorted(prices, reverse=True)
    assert set(SIMULATED_ALIASES.values()) == set(MODELS)
