"""Inside a host's own process: from sync code, trio and asyncio, and out of it again."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.events import Event
from runtime import BadRequest, Cancelled, Planhub, PlanRequest, PlanResult, RequestPart
from runtime.frontends.wire.requests import ChatMessage, Orchestration
from runtime.testing import Reply, judging
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PATIENCE_S,
    PROMPT,
    Vendors,
    configured,
    held_nano,
    until,
)

HANG = Reply(fault="hang")
HEAVY = {"type": "object", "properties": {"paths": {"type": "array", "uniqueItems": True}}}
PATHS = Reply('{"paths": ["/tasks", "/users"]}')


def test_sync(vendors: Vendors) -> None:
    """A prompt with keywords, or a request; blocking, or as a future."""
    request = PlanRequest(
        request=RequestPart(messages=[ChatMessage(role="user", content=PROMPT)], id="mine"),
        orchestration=Orchestration(mode="refine", iterations=1),
    )
    with Planhub.open(configured(vendors)) as hub:
        voted = hub.plan(PROMPT, mode="vote")
        future = hub.submit(request)
        called_back: list[Any] = []
        future.add_done_callback(called_back.append)
        refined = future.result(PATIENCE_S)
        assert until(lambda: called_back)
    assert (voted.routing_reason, len(voted.calls)) == ("vote-orchestration", 4)
    assert (refined.routing_reason, refined.request_id) == ("refine-orchestration", "mine")
    assert refined.text == refined.response["refined_response"]
    assert PlanResult.from_json(refined.to_json()) == refined


def test_trio(vendors: Vendors) -> None:
    """On the program's own loop; several at once."""

    async def main() -> list[PlanResult]:
        results: list[PlanResult] = []
        threads = threading.active_count()

        async def ask(hub: Planhub, mode: str) -> None:
            results.append(await hub.plan_async(PROMPT, mode=mode))

        async with Planhub.open_async(configured(vendors)) as hub:
            assert threading.active_count() == threads
            async with trio.open_nursery() as nursery:
                for mode in ("planning", "adversarial", "vote", "refine", "fuse"):
                    nursery.start_soon(ask, hub, mode)
        return results

    results = trio.run(main)
    assert sorted(len(result.calls) for result in results) == [1, 3, 3, 4, 4]
    assert {result.status for result in results} == {"complete"}


def test_asyncio(vendors: Vendors) -> None:
    """Beside the program's loop; several at once."""

    async def main() -> list[PlanResult]:
        async with Planhub.open_async(configured(vendors)) as hub:
            modes = ("planning", "adversarial", "vote", "refine", "fuse")
            return await asyncio.gather(*(hub.plan_async(PROMPT, mode=mode) for mode in modes))

    results = asyncio.run(main())
    assert [len(result.calls) for result in results] == [1, 3, 4, 3, 4]
    assert {result.status for result in results} == {"complete"}


async def _in_trio(ask: Callable[[], Awaitable[Any]], begun: Callable[[], bool]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        assert await trio.to_thread.run_sync(begun)
        nursery.cancel_scope.cancel()


async def _in_asyncio(ask: Callable[[], Awaitable[Any]], begun: Callable[[], bool]) -> None:
    task = asyncio.ensure_future(ask())
    assert await asyncio.to_thread(begun)
    task.cancel()
    await asyncio.wait((task,))


@pytest.mark.parametrize(
    ("run", "cancel"),
    [(trio.run, _in_trio), (lambda main: asyncio.run(main()), _in_asyncio)],
    ids=["trio", "asyncio"],
)
def test_a_cancelled_caller_cancels_its_run(vendors: Vendors, run: Any, cancel: Any) -> None:
    """The connection to the vendor is closed while the hub lives on."""
    vendors.openai.answers(HANG)

    async def main() -> None:
        async with Planhub.open_async(configured(vendors)) as hub:
            await cancel(
                lambda: hub.plan_async(PROMPT, primary_model_id=GPT),
                lambda: vendors.openai.wait_for(calls=1, connections=1, timeout=PATIENCE_S),
            )
            for _ in range(100):  # runs beside it, until it has ended
                if not hub.engine.runs.futures():
                    break
                await hub.plan_async(PROMPT, primary_model_id=CLAUDE)
            assert vendors.openai.wait_for(connections=0, timeout=PATIENCE_S)

    run(main)


def test_a_cancelled_future(vendors: Vendors) -> None:
    """Ends in Cancelled, with what had been begun."""
    vendors.openai.answers(HANG)
    with Planhub.open(configured(vendors)) as hub:
        future = hub.submit(PROMPT, primary_model_id=GPT)
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        assert future.cancel()
        with pytest.raises(Cancelled) as ended:
            future.result(PATIENCE_S)
        assert ended.value.calls is not None
        assert [call["status"] for call in ended.value.calls] == ["cancelled"]
        assert not future.cancel()
        view = hub.get(future.run_id)
        assert view is not None
        assert view.status == "cancelled"
        assert held_nano(hub) == 0


def test_closing_cancels_what_runs(vendors: Vendors) -> None:
    """And whoever waits is told."""
    vendors.answer(HANG)
    hub = Planhub.open(configured(vendors))
    future = hub.submit(PROMPT, mode="vote")
    assert until(lambda: len(vendors.calls) == 3)
    hub.close()
    with pytest.raises(Cancelled):
        future.result(PATIENCE_S)
    assert all(vendor.wait_for(connections=0, timeout=PATIENCE_S) for vendor in vendors)


def test_events_tell_the_whole_run_in_order(vendors: Vendors) -> None:
    """Numbered from one without a gap; each call begins before it ends; one last event."""
    events: list[dict[str, Any]] = []
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, mode="vote", on_event=events.append)
    names = [event["event"] for event in events]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["run"] for event in events} == {result.id}
    assert (names[0], names[-1]) == ("run_started", "run_finished")
    assert names.count("call_started") == names.count("call_finished") == 4
    assert names.count("run_finished") + names.count("run_failed") == 1
    voters_done = names.index("round_finished")
    assert names[:voters_done].count("call_finished") == 3
    assert names[voters_done + 1 :].count("call_started") == 1
    assert names.index("judged") == len(names) - 1 - names[::-1].index("judged")
    assert events[-1]["result"]["id"] == result.id
    for event in events:
        if event["event"] == "call_finished":
            begun = next(e for e in events if _call(e) == _call(event))
            assert begun["event"] == "call_started"


def _call(event: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(event.get(name) for name in ("role", "model", "provider", "attempt"))


def test_streaming_shows_the_events_as_they_happen(vendors: Vendors) -> None:
    """A failed run too; leaving early cancels."""
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        vendors.answer(HANG)
        for event in hub.stream(PROMPT):
            if event["event"] == "call_started":
                break
        assert sum(len(vendor.calls) for vendor in vendors) <= 1
        assert all(vendor.wait_for(connections=0, timeout=PATIENCE_S) for vendor in vendors)

        vendors.answer(judging())
        events = list(hub.stream(PROMPT, mode="adversarial"))
        assert events[-1]["event"] == "run_finished"
        assert len(events[-1]["result"]["calls"]) == 3

        vendors.answer(Reply("your account is closed", status=403))
        *_, last = hub.stream(PROMPT)
        assert (last["event"], last["error"]["code"]) == ("run_failed", "models_failed")

        with pytest.raises(BadRequest):
            next(iter(hub.stream(PROMPT, mode="debate")))


def test_a_run_that_nobody_watches_makes_no_events(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Event] = []
    with Planhub.open(configured(vendors)) as hub:
        monkeypatch.setattr(hub.engine.system, "emit", lambda _, event: made.append(event))
        assert hub.plan(PROMPT, mode="vote").status == "complete"
        assert made == []
        assert hub.plan(PROMPT, on_event=lambda _: None).status == "complete"
        assert made


RUNNERS = pytest.mark.parametrize(
    "run", [trio.run, lambda main: asyncio.run(main())], ids=["trio", "asyncio"]
)


@RUNNERS
def test_streaming_inside_a_loop(vendors: Vendors, run: Any) -> None:
    """The same events; two at once on one loop."""

    async def main() -> list[list[dict[str, Any]]]:
        async with Planhub.open_async(configured(vendors)) as hub:
            one = hub.stream_async(PROMPT, mode="adversarial")
            other = hub.stream_async(PROMPT, mode="vote")
            return [[event async for event in events] for events in (one, other)]

    for events in run(main):
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["event"] == "run_finished"


@RUNNERS
def test_a_stream_inside_a_loop_that_is_closed_cancels_its_run(vendors: Vendors, run: Any) -> None:
    vendors.openai.answers(HANG)

    async def main() -> None:
        async with Planhub.open_async(configured(vendors)) as hub:
            async with aclosing(hub.stream_async(PROMPT, primary_model_id=GPT)) as events:
                async for event in events:
                    if event["event"] == "call_started":
                        break
            for _ in range(100):  # runs beside it, until it has ended
                if not hub.engine.runs.futures():
                    break
                await hub.plan_async(PROMPT, primary_model_id=CLAUDE)
            assert vendors.openai.wait_for(connections=0, timeout=PATIENCE_S)

    run(main)


def test_an_event_handler_that_raises_does_not_hurt_its_run(vendors: Vendors) -> None:
    """It hears no more, and the answer comes."""
    heard: list[str] = []

    def handler(event: dict[str, Any]) -> None:
        heard.append(event["event"])
        raise ZeroDivisionError

    with Planhub.open(configured(vendors)) as hub:
        assert hub.plan(PROMPT, on_event=handler).status == "complete"
    assert heard == ["run_started"]


def test_fifty_times_in_one_process(vendors: Vendors, tmp_path: Path) -> None:
    """Started, used and closed: no thread, socket, file or process is left behind."""

    def once() -> None:
        with Planhub.open(configured(vendors), database=tmp_path / "planhub.db") as hub:
            hub.plan(PROMPT, primary_model_id=CLAUDE)

    once()
    before = _left()
    for _ in range(50):
        once()
    assert until(lambda: _left() == before)
    assert all(vendor.wait_for(connections=0, timeout=PATIENCE_S) for vendor in vendors)


def test_a_validation_in_its_own_process_is_over_when_the_hub_is(vendors: Vendors) -> None:
    """Heavy schemas are tried elsewhere, and nobody is left there."""
    vendors.answer(PATHS)
    before = _left()
    with Planhub.open(configured(vendors)) as hub:
        assert hub.plan(PROMPT, output_schema=HEAVY).output == {"paths": ["/tasks", "/users"]}
    assert until(lambda: _left() == before)


def test_several_live_side_by_side(vendors: Vendors) -> None:
    """Nothing is shared: what one spends the other has not."""
    with Planhub.open(configured(vendors)) as one, Planhub.open(configured(vendors)) as other:
        one.plan(PROMPT)
        assert [a.spent_nano > 0 for a in one.ledger().accounts if a.owner == "installation"]
        assert not any(account.spent_nano for account in other.ledger().accounts)
        one.close()
        assert other.plan(PROMPT).status == "complete"


def _left() -> tuple[int, int, int]:
    """Threads, open files and child processes.

    Threads that trio keeps for its next use, in whatever part of the program, are its own.
    """
    gc.collect()
    threads = [t for t in threading.enumerate() if not t.name.startswith("Trio thread")]
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    processes = len(children.read_text().split()) if children.exists() else 0
    return len(threads), len(os.listdir("/dev/fd")), processes
