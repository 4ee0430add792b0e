"""The answer as it is written: over real sockets, from both kinds of vendor, whatever they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, get_args

import pytest

from actors.domain.model import Usage
from actors.domain.pricing import cost_nano, input_estimate
from runtime import Planhub
from runtime.testing import RecordedCall, Reply, ScriptedVendor, judging
from runtime.testing.scripts import Fault, MidwayFault
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PATIENCE_S,
    PROMPT,
    Vendors,
    configured,
    held_nano,
    nano,
    spent_nano,
    until,
)
from tests.end_to_end.watching import check, text_of

TEXT = "First decide what a task is: a title, an owner, a date — and what may become of it. " * 3
USAGE = Usage(input=1234, cache_read=77, output=321)
MODELS = {"openai": GPT, "anthropic": CLAUDE}
DIALECTS = pytest.mark.parametrize("dialect", ["openai", "anthropic"])
Event = dict[str, Any]


@pytest.fixture
def hub(vendors: Vendors) -> Iterator[Planhub]:
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        yield hub


def plan(hub: Planhub, **fields: Any) -> list[Event]:
    events = list(hub.stream(PROMPT, **fields))
    check(events)
    return events


def names(events: list[Event]) -> list[str]:
    """The kinds of events, each run of texts as one."""
    kinds = [event["event"] for event in events]
    return [kind for i, kind in enumerate(kinds) if kind != "text" or kinds[i - 1] != "text"]


def once(first: Reply, then: Reply) -> Callable[[RecordedCall], Reply]:
    replies = iter([first])
    return lambda _: next(replies, then)


# --- what is well ---------------------------------------------------------------------------------


@DIALECTS
def test_the_answer_comes_as_it_is_written(vendors: Vendors, hub: Planhub, dialect: str) -> None:
    """Its first half before the vendor has said the second; the bill is as without a stream."""
    vendors[dialect].answers(Reply(TEXT, USAGE, pauses=True))
    seen: list[Event] = []
    for event in hub.stream(PROMPT, primary_model_id=MODELS[dialect]):
        seen.append(event)
        if event["event"] == "text":
            vendors[dialect].release()
    check(seen)
    assert sum(event["event"] == "text" for event in seen) >= 2
    assert names(seen) == [
        "run_started", "call_started", "text", "call_finished", "round_finished", "run_finished"
    ]  # fmt: skip
    streamed = seen[-1]["result"]
    vendors[dialect].answers(Reply(TEXT, USAGE))
    plain = hub.plan(PROMPT, primary_model_id=MODELS[dialect])
    assert [call.body["stream"] for call in vendors.calls] == [True, False]
    (call,) = streamed["calls"]
    assert (call["input_tokens"], call["output_tokens"]) == (USAGE.input, USAGE.output)
    assert nano(streamed["cost"]["spent_usd"]) == nano(plain.cost.spent_usd)
    assert not streamed["cost"]["estimated"]
    assert streamed["response"]["choices"][0]["message"]["content"] == plain.text == TEXT


@DIALECTS
def test_the_answer_comes_so_through_httpx_too(
    vendors: Vendors, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which serves what is unusual."""
    monkeypatch.setattr("runtime.vendors.unusual_at", lambda _: "for a test")
    vendors[dialect].answers(Reply(TEXT, USAGE, pauses=True))
    seen: list[Event] = []
    with Planhub.open(configured(vendors)) as hub:
        assert "Httpx" in repr(hub.engine.vendors[dialect])
        for event in hub.stream(PROMPT, primary_model_id=MODELS[dialect]):
            seen.append(event)
            if event["event"] == "text":
                vendors[dialect].release()
    check(seen)
    assert sum(event["event"] == "text" for event in seen) >= 2


def test_nobody_is_asked_for_a_stream_that_nobody_would_see(vendors: Vendors, hub: Planhub) -> None:
    hub.plan(PROMPT, mode="adversarial")
    hub.plan(PROMPT, idempotency_key="k")
    assert not any(call.body["stream"] for call in vendors.calls)


@pytest.mark.parametrize(
    ("fields", "streamed"),
    [
        ({"mode": "adversarial", "iterations": 2}, [False, False, False, False, True]),
        ({"mode": "adversarial", "return_plan_only": True}, [True]),
        ({"mode": "refine", "iterations": 2}, [False, False, True]),
        ({"mode": "refine", "return_plan_only": True}, [True]),
        ({"mode": "refine", "iterations": 1, "keep_best": True}, [False] * 3),
        ({"mode": "vote"}, [False] * 4),
        ({"mode": "fuse"}, [False, False, False, True]),
        ({"strip_think": True}, [False]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_only_the_call_that_writes_the_answer_is_streamed(
    vendors: Vendors, hub: Planhub, fields: dict[str, Any], streamed: list[bool]
) -> None:
    """Drafts, critiques and votes are not; what nobody streamed comes whole, once, at the end."""
    events = plan(hub, **fields)
    order = sorted(vendors.calls, key=lambda call: call.body["stream"])
    assert [call.body["stream"] for call in order] == sorted(streamed)
    assert "text_reset" not in names(events)
    if not any(streamed):
        assert sum(event["event"] == "text" for event in events) == 1


def test_a_vendor_that_takes_no_streams_is_asked_without(vendors: Vendors) -> None:
    """It is learnt once; its answer comes whole."""
    with ScriptedVendor("openai", refuses={GPT: ["stream_options"]}) as openai:
        config = configured(Vendors(openai, vendors.anthropic), models=(GPT,))
        with Planhub.open(config) as hub:
            for _ in range(2):
                assert names(plan(hub))[-2:] == ["text", "run_finished"]
        assert [call.body["stream"] for call in openai.calls] == [True, False, False]


@DIALECTS
def test_a_stream_without_usage_is_estimated(vendors: Vendors, hub: Planhub, dialect: str) -> None:
    vendors[dialect].answers(Reply(TEXT, fault="no usage"))
    *_, last = plan(hub, primary_model_id=MODELS[dialect])
    assert last["result"]["cost"]["estimated"]
    assert last["result"]["cost"]["spent_usd"] > 0


# --- what goes wrong ------------------------------------------------------------------------------


@DIALECTS
@pytest.mark.parametrize("fault", ["cut", "garbage midway", "error midway", "no end"])
def test_what_fails_midway_begins_anew_elsewhere(
    vendors: Vendors, hub: Planhub, dialect: str, fault: Fault
) -> None:
    """Its text is void, never a short answer; what it had written is paid, by estimate."""
    begun = once(Reply(TEXT, USAGE, fault=fault, pauses=fault != "cut"), Reply(TEXT, USAGE))
    vendors[dialect].answers(begun)
    vendors.other(dialect).answers(Reply("Somebody else's answer.", USAGE))
    events: list[Event] = []
    for event in hub.stream(PROMPT, primary_model_id=MODELS[dialect]):
        events.append(event)
        if event["event"] == "text":
            vendors[dialect].release()
    check(events)
    kinds = names(events)
    assert kinds.count("text_reset") == 1
    assert kinds.index("text") < kinds.index("text_reset") < len(kinds) - 2
    result = events[-1]["result"]
    failed, *_ = result["calls"]
    assert failed["status"] == "failed"
    assert failed["cost_usd"] > 0
    if fault != "no end":
        assert failed["estimated"]
        assert 0 < failed["output_tokens"] <= len(TEXT.encode()) // 4 + 1
    assert result["cost"]["spent_usd"] == pytest.approx(sum(c["cost_usd"] for c in result["calls"]))
    assert held_nano(hub) == 0


@DIALECTS
def test_a_repair_begins_anew(vendors: Vendors, hub: Planhub, dialect: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    vendors[dialect].answers(once(Reply('{"a": "no number"}'), Reply('{"a": 7}')))
    events = plan(hub, primary_model_id=MODELS[dialect], output_schema=schema)
    kinds = names(events)
    assert kinds.count("text_reset") == 1
    assert kinds.index("text_reset") < len(kinds) - 1 - kinds[::-1].index("text")
    assert events[-1]["result"]["response"]["output"] == {"a": 7}


def test_an_answer_that_falls_back_replaces_what_was_streamed(
    vendors: Vendors, hub: Planhub
) -> None:
    """The last refinement fails for good, midway: the draft before it is the answer."""

    def script(call: RecordedCall) -> Reply:
        return Reply(TEXT, fault="cut") if call.body["stream"] else Reply("The draft.")

    vendors.answer(script)
    events = plan(hub, mode="refine", iterations=1)
    assert events[-1]["result"]["status"] == "degraded"
    assert text_of(events) == "The draft."
    assert "text_reset" in names(events)


@DIALECTS
def test_a_cancelled_stream_closes_its_socket_and_is_paid_as_far_as_it_came(
    vendors: Vendors, hub: Planhub, dialect: str
) -> None:
    """What was sent and what had been written, by estimate: not what the wire carried."""
    vendors[dialect].answers(Reply(TEXT, USAGE, fault="stall"))
    stream = hub.stream(PROMPT, primary_model_id=MODELS[dialect])
    text, run = "", ""
    for event in stream:
        run = event["run"]
        text += event.get("text", "")
        if text:
            break
    stream.close()  # type: ignore[attr-defined]
    assert vendors[dialect].wait_for(connections=0, timeout=PATIENCE_S)
    view = until(lambda: (v := hub.get(run)) and v.status == "cancelled" and v)
    assert view
    model = next(m for m in hub.engine.table if m.id == MODELS[dialect])
    assert model.price is not None
    messages = b'[{"role":"user","content":"%b"}]' % PROMPT.encode()
    written = Usage(input=input_estimate(messages, None), output=-(-len(text.encode()) // 4))
    assert spent_nano(hub) == cost_nano(written, model.price)
    assert held_nano(hub) == 0
    *_, last = _rest(hub, run)
    assert (last["event"], last["status"]) == ("run_failed", 499)


@DIALECTS
def test_a_stream_that_stalls_ends_with_the_time(
    vendors: Vendors, hub: Planhub, dialect: str
) -> None:
    vendors.answer(Reply(TEXT, USAGE, fault="stall"))
    events = plan(hub, primary_model_id=MODELS[dialect], max_latency_ms=300)
    assert (events[-1]["event"], events[-1]["error"]["code"]) == ("run_failed", "deadline")
    assert events[-1]["error"]["cost"]["estimated"]
    assert held_nano(hub) == 0


def test_a_vote_shows_its_winner_once_it_is_judged(vendors: Vendors, hub: Planhub) -> None:
    vendors.answer(judging())
    kinds = names(plan(hub, mode="vote"))
    assert kinds[-3:] == ["judged", "text", "run_finished"]


@pytest.mark.parametrize("seed", range(16))
def test_whatever_vendors_do_the_text_is_the_answer(
    vendors: Vendors, hub: Planhub, seed: int
) -> None:
    """Every fault, at any call of any mode: `check` says what holds of the events."""
    draw = Random(seed)
    faults = [*get_args(MidwayFault), "hang", "reset", "truncate", "garbage", "huge", None, None]

    def script(call: RecordedCall) -> Reply:
        fault = draw.choice(faults) if draw.random() < 0.6 else None
        status = draw.choice([200] * 9 + [500])
        text = f"{call.model} says: {TEXT[: draw.randint(1, 200)]}"
        return Reply(text, USAGE if draw.random() < 0.9 else None, status, fault=fault)

    vendors.answer(judging(otherwise=script))
    mode = draw.choice(["planning", "adversarial", "refine", "vote"])
    events = plan(hub, mode=mode, max_latency_ms=draw.choice([400, 1_500]))
    last = events[-1]
    told = last.get("result") or last["error"]
    assert nano(told["cost"]["spent_usd"]) == sum(nano(c["cost_usd"]) for c in told["calls"])
    assert until(lambda: held_nano(hub) == 0)


def _rest(hub: Planhub, run: str) -> list[Event]:
    feed = hub.engine.feed(run)
    assert feed is not None
    return [event.as_map() for event in feed.take()]
