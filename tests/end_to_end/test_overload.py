"""More than there is room for: who is refused is told at once, and nothing of it stays behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from actors.domain.model import Usage
from runtime.keys import KeyBook
from runtime.storage.database import connect
from runtime.testing import RecordedCall, Reply
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PATIENCE_S,
    Served,
    Vendors,
    configured,
    held_nano,
    is_at_rest,
    nano,
    pool,
    request,
    served,
    spent_nano,
    until,
)
from tests.end_to_end.shell import WITHIN_S, Shell

ASYNC = {"prefer": "respond-async"}
TIGHT = {"max_concurrency": 1, "max_waiting": 1}


def refused(response: httpx.Response) -> bool:
    """429, as it is told to a client that may come again."""
    assert response.status_code == 429, response.text
    assert response.json()["code"] == "rate_limited"
    assert int(response.headers["retry-after"]) >= 1
    return True


def begun(client: httpx.Client, **parts: Any) -> str:
    """The place of a run that the vendors are asked for."""
    response = client.post("/v1/plan", json=request(**parts), headers=ASYNC)
    assert response.status_code == 202, response.text
    return str(response.headers["location"])


def ended(client: httpx.Client, place: str) -> Any:
    def end() -> Any:
        view = client.get(place).json()
        return view if view["status"] != "running" else None

    return until(end)


# --- no room ------------------------------------------------------------------------------------


def test_a_full_engine(vendors: Vendors) -> None:
    """`max_runs` are under way: the next is refused, and admitted when one of them has ended."""
    vendors.openai.hold()
    config = configured(vendors, models=(GPT,), server={"max_runs": 2})
    with served(config) as at, at.client() as client:
        places = [begun(client) for _ in range(2)]
        assert vendors.openai.wait_for(calls=2, timeout=PATIENCE_S)
        held = held_nano(at.hub)
        assert refused(at.post(request()))
        assert refused(client.post("/v1/plan", json=request(), headers=ASYNC))
        assert (held_nano(at.hub), len(vendors.calls)) == (held, 2)
        assert client.get("/healthz").status_code == 200
        vendors.openai.release()
        spent = [nano(ended(client, place)["result"]["cost"]["spent_usd"]) for place in places]
        assert (held_nano(at.hub), spent_nano(at.hub)) == (0, sum(spent))
        assert at.post(request()).status_code == 200


@pytest.mark.parametrize("mode", ["planning", "vote"])
def test_a_full_line(vendors: Vendors, mode: str) -> None:
    """The vendor serves one and another waits: the next is refused, sent nowhere, and is free."""
    vendors.openai.hold()
    config = configured(vendors, models=(GPT,), provider=TIGHT)
    with served(config) as at, at.client() as client:
        first = begun(client)
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        second = begun(client)
        assert until(lambda: pool(at.hub, "openai").waiting == 1)
        held = held_nano(at.hub)
        response = at.post(request(orchestration={"mode": mode, "voters": 2}))
        assert refused(response)
        assert response.json()["cost"]["spent_usd"] == 0
        assert response.json()["calls"][0]["error"] == "overloaded: 1 calls are waiting already"
        assert (held_nano(at.hub), len(vendors.calls)) == (held, 1)
        vendors.openai.release()
        spent = [nano(ended(client, p)["result"]["cost"]["spent_usd"]) for p in (first, second)]
        assert (held_nano(at.hub), spent_nano(at.hub)) == (0, sum(spent))
        assert at.post(request()).status_code == 200
        assert is_at_rest(at.hub, "openai")


def test_a_line_that_is_full_sends_its_runs_to_the_other_vendor(vendors: Vendors) -> None:
    """Nobody is refused while somebody has room."""
    vendors.openai.hold()
    config = configured(vendors, models=(GPT, CLAUDE), provider=TIGHT)
    with served(config) as at, at.client() as client:
        wants = {"primary_model_id": GPT}
        first = begun(client, orchestration=wants)
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        second = begun(client, orchestration=wants)
        assert until(lambda: pool(at.hub, "openai").waiting == 1)
        elsewhere = at.post(request(orchestration=wants))
        assert elsewhere.json()["negotiated_model"] == CLAUDE
        vendors.openai.release()
        for place in (first, second):
            assert ended(client, place)["result"]["negotiated_model"] == GPT


def test_a_burst_and_the_calm_after_it(vendors: Vendors) -> None:
    """Of sixty at once those with room are answered, the others told so; then all is as before."""
    config = configured(vendors, provider={"max_concurrency": 2, "max_waiting": 4})
    vendors.answer(Reply("An answer.", delay_s=0.01))
    with served(config) as at:
        statuses = together(at.url, [request()] * 60)
        assert set(statuses) == {200, 429}
        assert held_nano(at.hub) == 0
        for vendor in ("openai", "anthropic"):
            assert is_at_rest(at.hub, vendor)
        assert at.post(request()).status_code == 200


def together(url: str, bodies: list[Any], key: str | None = None) -> list[int]:
    """The statuses of requests sent at once."""
    return [response.status_code for response in all_at_once(url, bodies, key)]


def all_at_once(url: str, bodies: list[Any], key: str | None = None) -> list[httpx.Response]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    responses: list[httpx.Response] = []

    async def send() -> None:
        limits = httpx.Limits(max_connections=len(bodies))
        async with (
            httpx.AsyncClient(
                base_url=url, timeout=WITHIN_S, trust_env=False, limits=limits, headers=headers
            ) as client,
            trio.open_nursery() as nursery,
        ):
            for body in bodies:
                nursery.start_soon(one, client, body)

    async def one(client: httpx.AsyncClient, body: Any) -> None:
        responses.append(await client.post("/v1/plan", json=body))

    trio.run(send)
    return responses


# --- keys ---------------------------------------------------------------------------------------


@contextmanager
def served_to_a_key(
    vendors: Vendors, database: Path, **limits: Any
) -> Iterator[tuple[Served, str, str]]:
    """A server, the text of the key that it asks for, and the key's id."""
    key, text = KeyBook(lambda: connect(database)).create("client", **limits)
    with served(configured(vendors, models=(GPT,)), database) as at:
        yield at, text, key.id


def test_a_keys_own_rate(vendors: Vendors, tmp_path: Path) -> None:
    """One too many in its minute is refused before anything is looked at or reserved."""
    with served_to_a_key(vendors, tmp_path / "db", requests_per_minute=2) as (at, text, _):
        with at.client() as client:
            client.headers["x-api-key"] = text
            assert [client.post("/v1/plan", json=request()).status_code for _ in "12"] == [200, 200]
            assert refused(client.post("/v1/plan", json=request()))
            assert client.get("/v1/models").status_code == 200
        assert (len(vendors.calls), held_nano(at.hub)) == (2, 0)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_two_hundred_at_once_under_a_key_whose_cap_fits_ten(
    vendors: Vendors, tmp_path: Path, share: float
) -> None:
    """What fits at its worst case is spent, whatever share of it an answer comes to; the others
    are told 402.  Each call that the vendor sees was reserved, and the cap is never passed.
    """
    tokens, cap = 300, 0.032
    seen: list[tuple[int, int]] = []
    with served_to_a_key(vendors, tmp_path / "db", limit_nano=nano(cap)) as (at, text, owner):

        def standing() -> tuple[int, int]:
            (account,) = (a for a in at.hub.ledger().accounts if a.owner == f"key:{owner}")
            return account.spent_nano, account.held_nano

        def answer(call: RecordedCall) -> Reply:
            seen.append(standing())
            most = call.body["max_tokens"]
            return Reply("x", Usage(input=8, output=int(share * most)))

        vendors.openai.answers(answer)
        body = request(request={"parameters": {"max_tokens": tokens}})
        responses = all_at_once(at.url, [body] * 200, text)
        spent, held = standing()
    answered = [response.json() for response in responses if response.status_code == 200]
    others = [response for response in responses if response.status_code != 200]
    assert {response.status_code for response in others} == {402}
    assert all(response.json()["code"] == "budget_exceeded" for response in others)
    assert sum(nano(result["cost"]["spent_usd"]) for result in answered) == spent
    assert len(vendors.calls) == len(answered) >= 10
    assert all(held > 0 and spent + held <= nano(cap) for spent, held in seen)
    assert held == 0
    assert 0.8 * nano(cap) <= spent <= nano(cap)


# --- draining -----------------------------------------------------------------------------------


def test_a_second_signal_stops_at_once(vendors: Vendors, tmp_path: Path) -> None:
    """New requests are told 503 while it drains; the second signal ends what still runs, tells
    its client, closes its connections, and settles it.
    """
    database = tmp_path / "db"
    vendors.openai.answers(Reply(fault="hang"))
    with (
        served(configured(vendors, models=(GPT,)), database) as at,
        ThreadPoolExecutor(1) as clients,
    ):
        waiting = clients.submit(at.post, request())
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        at.signal()
        assert until(lambda: at.hub.engine.draining)
        late = at.post(request())
        assert (late.status_code, late.json()["code"]) == (503, "draining")
        assert int(late.headers["retry-after"]) >= 1
        assert not waiting.done()
        at.signal()
        told = waiting.result(PATIENCE_S)
        assert vendors.openai.wait_for(connections=0, timeout=1.0)
        assert told.status_code == 499
        charged = nano(told.json()["cost"]["spent_usd"])
        assert charged > 0
        assert (held_nano(at.hub), spent_nano(at.hub)) == (0, charged)


def test_a_stopped_process_loses_nothing(shell: Shell, vendors: Vendors) -> None:
    """Two signals in a row: it ends within its patience, with 0, and its books balance."""
    vendors.answer(Reply(fault="hang"))
    with shell.serving() as server, ThreadPoolExecutor(4) as clients:
        body = request(orchestration={"mode": "vote"})
        waiting: list[Future[httpx.Response]] = [clients.submit(server.post, body) for _ in "1234"]
        assert until(lambda: len(vendors.calls) == 12)
        server.process.send_signal(signal.SIGTERM)
        with server.client() as client:
            assert until(lambda: client.get("/readyz").status_code == 503)
        server.process.send_signal(signal.SIGTERM)
        ends = [future.result(WITHIN_S) for future in waiting]
        assert server.process.wait(WITHIN_S) == 0
    assert {end.status_code for end in ends} == {499}
    charged = sum(nano(end.json()["cost"]["spent_usd"]) for end in ends)
    ledger = json.loads(shell.run("ledger", "--json").stdout)
    assert (ledger["held_usd"], ledger["uncertain"]) == (0, [])
    assert sum(nano(row["spent_usd"]) for row in ledger["rows"]) == charged
