"""Both clients against the server, over real sockets."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.errors import (
    BadRequest,
    BudgetExceeded,
    Cancelled,
    Conflict,
    Internal,
    PlanError,
    RateLimited,
    Unauthorized,
)
from runtime import AsyncClient, Client, Planhub, PlanRequest
from runtime.client import Unreachable
from runtime.frontends.socket.addresses import listen
from runtime.frontends.socket.conversation import Limits
from runtime.frontends.socket.server import SocketServer
from runtime.frontends.wire import RequestPart
from runtime.frontends.wire.requests import ChatMessage
from runtime.keys import KeyBook, KeyRing
from runtime.storage.database import connect
from tests.end_to_end.rig import (
    GPT,
    PATIENCE_S,
    PROMPT,
    Vendors,
    configured,
    request,
    scripted_vendors,
    until,
)
from tests.runtime.frontends.socket.rig import serving, simulated

HANGS = 3_600_000.0


@pytest.fixture
def hub() -> Iterator[Planhub]:
    with Planhub.open(simulated()) as hub:
        yield hub


@pytest.fixture
def server(hub: Planhub) -> Iterator[SocketServer]:
    with serving(hub) as server:
        yield server


@pytest.fixture
def client(server: SocketServer) -> Iterator[Client]:
    with Client(server.name) as client:
        yield client


@pytest.fixture
def slow() -> Iterator[tuple[Planhub, Client]]:
    """Models that do not answer while a test lasts."""
    with Planhub.open(simulated(HANGS)) as hub, serving(hub) as server, Client(server.name) as one:
        yield hub, one


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors


def test_a_plan_in_each_of_its_forms(client: Client) -> None:
    messages = [ChatMessage(role="user", content=PROMPT)]
    forms: list[Any] = [
        PROMPT,
        [{"role": "user", "content": PROMPT}],
        request(),
        PlanRequest(request=RequestPart(messages=messages)),
    ]
    results = [client.plan(form) for form in forms]
    assert {result.routing_reason for result in results} == {results[0].routing_reason}
    assert all(result.text and result.cost.calls == 1 for result in results)
    vote = client.plan(PROMPT, mode="vote", max_budget_usd=0.5)
    assert len(vote.calls) == 4


def test_many_threads_share_one_connection(client: Client, server: SocketServer) -> None:
    with ThreadPoolExecutor(20) as threads:
        ids = list(threads.map(lambda _: client.plan(PROMPT).id, range(300)))
    assert len(set(ids)) == 300
    assert len(server._peers) == 1


def test_events_come_before_the_answer(client: Client) -> None:
    seen: list[dict[str, Any]] = []
    result = client.plan(PROMPT, mode="vote", on_event=seen.append)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[0]["event"], seen[-1]["event"]) == ("run_started", "run_finished")
    assert seen[-1]["result"]["id"] == result.id


def test_who_watches_and_fails_sees_no_more(client: Client) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise RuntimeError("mine")

    assert client.plan(PROMPT, on_event=fail).text


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"request": {"messages": []}}, BadRequest, "messages required"),
        (request(orchestration={"mode": "debate"}), BadRequest, "unknown orchestration mode"),
        (request(budget=1), BadRequest, "unknown field: budget"),
        (request(request={"meta": {"x": b"y"}}), BadRequest, "must be data that JSON can hold"),
        (request(request={"meta": {"x": 2**70}}), BadRequest, "request.meta.x must be an integer"),
        (request(request={"meta": {"x": object()}}), BadRequest, "must be data that JSON"),
        (request("x" * 9_000_000), BadRequest, "request too large"),
    ],
)
def test_errors_are_those_of_an_embedded_hub(
    client: Client, given: dict[str, Any], error: type[PlanError], text: str
) -> None:
    with pytest.raises(error, match=text):
        client.plan(given)
    assert client.plan(PROMPT).text
    assert "0 plans" in repr(client)


def test_an_error_tells_what_was_paid(vendors: Vendors) -> None:
    with (
        Planhub.open(configured(vendors)) as hub,
        serving(hub) as server,
        Client(server.name) as client,
        pytest.raises(BudgetExceeded) as caught,
    ):
        client.plan(PROMPT, max_budget_usd=0.0000001)
    assert caught.value.code == "budget_exceeded"
    assert caught.value.cost is not None
    assert caught.value.cost["needed_usd"] > 0.0000001


def test_a_cancel_by_id(slow: tuple[Planhub, Client]) -> None:
    """The request's own, or that of what is waited for."""
    hub, client = slow
    mine = client.submit(PROMPT, id="mine")
    other = client.submit(PROMPT, id="mine")
    third = client.submit(PROMPT)
    until(lambda: len(hub.engine.runs) == 3)
    assert mine.id == "mine"
    assert len({mine.id, other.id, third.id}) == 3
    assert client.cancel("mine")
    with pytest.raises(Cancelled):
        mine.result(PATIENCE_S)
    assert client.cancel(other.id)
    assert third.cancel()
    for plan in (other, third):
        with pytest.raises(Cancelled):
            plan.result(PATIENCE_S)
    assert not third.cancel()
    assert not client.cancel("mine")
    assert len(hub.engine.runs) == 0


def test_a_client_that_is_closed_cancels_what_it_did_not_name(slow: tuple[Planhub, Client]) -> None:
    hub, client = slow
    plans = [client.submit(PROMPT), client.submit(PROMPT, idempotency_key="mine")]
    until(lambda: len(hub.engine.runs) == 2)
    client.close()
    for plan in plans:
        with pytest.raises(Cancelled):
            plan.result(PATIENCE_S)
    until(lambda: len(hub.engine.runs) == 1)
    with pytest.raises(Cancelled, match="the client is closed"):
        client.plan(PROMPT)
    client.close()


def test_an_interrupt_cancels(slow: tuple[Planhub, Client]) -> None:
    hub, client = slow
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        until(lambda: len(hub.engine.runs) == 1)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        client.plan(PROMPT)
    until(lambda: len(hub.engine.runs) == 0)


def test_ping(client: Client) -> None:
    assert 0 < client.ping() < PATIENCE_S


# --- connections that are lost ----------------------------------------------------------------


def test_a_lost_connection_buys_nothing_twice(vendors: Vendors, tmp_path: Path) -> None:
    """What was asked is asked again, under its name, and joins its run or has its answer."""
    path = f"unix:{tmp_path}/planhub.sock"
    vendors.openai.hold()
    with Planhub.open(configured(vendors, models=(GPT,))) as hub, Client(path) as client:
        with serving(hub, path) as server:
            joined = client.submit(PROMPT)
            until(lambda: len(vendors.calls) == 1)
        until(lambda: server._ended)
        with serving(hub, path) as server:
            until(lambda: len(hub.engine.runs.futures()) == 2)
        until(lambda: server._ended)
        vendors.openai.release()
        until(lambda: len(hub.engine.runs) == 0)
        with serving(hub, path):
            assert joined.result(PATIENCE_S).text
    assert len(vendors.calls) == 1


def test_a_name_holds_for_another_client(client: Client, server: SocketServer) -> None:
    first = client.plan(PROMPT, idempotency_key="mine")
    with Client(server.name) as other:
        assert other.plan(PROMPT, idempotency_key="mine") == first
        with pytest.raises(Conflict):
            other.plan("another", idempotency_key="mine")


def test_a_server_that_comes_late_is_waited_for(hub: Planhub, tmp_path: Path) -> None:
    path = f"unix:{tmp_path}/planhub.sock"
    with Client(path) as client:
        plan = client.submit(PROMPT)
        with serving(hub, path):
            assert plan.result(PATIENCE_S).text


def test_one_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    """For now: what is asked next is tried again."""
    with Client(f"unix:{tmp_path}/none", retry_s=0.05) as client:
        for _ in range(2):
            with pytest.raises(Unreachable, match="cannot be reached"):
                client.plan(PROMPT)
        with pytest.raises(Unreachable):
            client.ping()
        plan = client.submit(PROMPT)
        assert plan.cancel()
        with pytest.raises(PlanError):
            plan.result(PATIENCE_S)


def test_a_server_that_talks_nonsense_is_given_up() -> None:
    listener = listen("127.0.0.1:0")
    listener.socket.setblocking(True)

    def serve() -> None:
        with listener.socket.accept()[0] as sock:
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            while sock.recv(1_000):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    with Client(listener.name, retry_s=0.0) as client, pytest.raises(Unreachable):
        client.plan(PROMPT)
    thread.join(PATIENCE_S)
    listener.close()


def test_a_fault_of_the_clients_own_is_not_told_as_a_close(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits hears of it, and the log says where it was."""

    def fault(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client._link, "_serve_while_wanted", partial(fault, None))
    with pytest.raises(Internal, match="ZeroDivisionError"):
        client.plan(PROMPT)
    assert "a client failed" in caplog.text


def test_a_wrong_key(hub: Planhub, tmp_path: Path) -> None:
    """Is told at once, and not tried again."""
    book = KeyBook(lambda: connect(tmp_path / "keys.db"))
    _, right = book.create("mine")
    ring = KeyRing(lambda: connect(tmp_path / "keys.db", read_only=True))
    with serving(hub, keys=ring) as server:
        with Client(server.name, "planhub_wrong") as client:
            with pytest.raises(Unauthorized):
                client.plan(PROMPT)
            assert "planhub_wrong" not in repr(client)
        with Client(server.name, right) as client:
            assert client.plan(PROMPT).text
    ring.close()


def test_more_than_may_be_in_flight() -> None:
    with (
        Planhub.open(simulated(HANGS)) as hub,
        serving(hub, limits=Limits(max_in_flight=1)) as server,
        Client(server.name) as client,
    ):
        client.submit(PROMPT)
        with pytest.raises(RateLimited):
            client.plan(PROMPT)


# --- trio and asyncio -------------------------------------------------------------------------


def run_trio(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main)


def run_asyncio(main: Callable[[], Any]) -> None:
    asyncio.run(main())


both = pytest.mark.parametrize("run", [run_trio, run_asyncio])


@both
def test_a_plan_is_awaited(run: Any, server: SocketServer) -> None:
    """Its events are seen on the loop, all before the answer."""
    seen: list[tuple[str, bool]] = []
    home = threading.get_ident()

    def see(event: dict[str, Any]) -> None:
        seen.append((event["event"], threading.get_ident() == home))

    async def main() -> None:
        async with AsyncClient(server.name) as client:
            assert await client.ping() > 0
            result = await client.plan(PROMPT, mode="vote", on_event=see)
            assert len(result.calls) == 4
            assert seen[0] == ("run_started", True)
            assert seen[-1] == ("run_finished", True)
            with pytest.raises(BadRequest):
                await client.plan({"request": {}})

    run(main)


def test_many_tasks_share_one_connection(server: SocketServer) -> None:
    async def main() -> list[str]:
        async with AsyncClient(server.name) as client:
            results = await asyncio.gather(*(client.plan(PROMPT) for _ in range(200)))
            return [result.id for result in results]

    assert len(set(asyncio.run(main()))) == 200


@both
def test_a_task_that_is_cancelled_cancels(run: Any, slow: tuple[Planhub, Client]) -> None:
    hub, client = slow

    async def in_trio() -> None:
        async with AsyncClient(client.address) as one:
            with trio.move_on_after(0.1):
                await one.plan(PROMPT)

    async def in_asyncio() -> None:
        async with AsyncClient(client.address) as one:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one.plan(PROMPT), 0.1)

    run(in_trio if run is run_trio else in_asyncio)
    until(lambda: len(hub.engine.runs) == 0)


@both
def test_a_plan_is_cancelled_by_its_id(run: Any, slow: tuple[Planhub, Client]) -> None:
    hub, client = slow

    async def main() -> None:
        async with AsyncClient(client.address) as one:
            plan = one.submit(PROMPT, id="mine")
            assert await one.cancel("mine")
            with pytest.raises(Cancelled):
                await plan

    run(main)
    until(lambda: len(hub.engine.runs) == 0)


def test_nothing_is_left_behind(server: SocketServer) -> None:
    before = threading.active_count()
    for _ in range(5):
        with Client(server.name) as client:
            assert client.plan(PROMPT).text
    Client(server.name).close()
    assert threading.active_count() <= before
    until(lambda: not server._peers)
