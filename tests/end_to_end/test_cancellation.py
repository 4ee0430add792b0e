"""However a run is given up, it reaches every call of it wherever that is, and is paid for once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from actors.domain.model import Usage
from actors.domain.pricing import cost_nano, input_estimate
from runtime import Cancelled
from runtime.frontends.wire import error_body
from runtime.testing import Reply
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    GPT_LIGHT,
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

AT_ONCE_S = 1.0
PAID = "What was paid for."
VOTE = {"mode": "vote", "voter_model_ids": [CLAUDE, GPT, GPT_LIGHT]}
USAGE = Usage(input=100, output=7)
DEADLINE_MS = 1_500
"""Long enough for an answer to come first, and for two more calls to have got where they stay."""

End = dict[str, Any]


@pytest.fixture
def at(vendors: Vendors) -> Iterator[Served]:
    """One vendor answers; the other takes one call at a time, and never says anything."""
    vendors.anthropic.answers(Reply(PAID, USAGE))
    vendors.openai.answers(Reply(fault="hang"))
    with served(configured(vendors, provider={"max_concurrency": 1})) as at:
        yield at


def scattered(at: Served, vendors: Vendors) -> bool:
    """One call is answered, one on the wire, one in the line."""
    status, sent = pool(at.hub, "openai"), len(vendors.openai.calls)
    places = status.leased, sent, status.waiting
    return places == (1, 1, 1) and is_at_rest(at.hub, "anthropic")


def ended(at: Served, run: str) -> End:
    def end() -> End | None:
        with at.client() as client:
            view = client.get(f"/v1/plan/{run}").json()
        return view.get("result") or view.get("error")

    return until(end) or {}


# --- the ways ------------------------------------------------------------------------------------


def deleted(at: Served, vendors: Vendors) -> End:
    """Somebody else says so."""
    response = at.post(request(orchestration=VOTE), prefer="respond-async")
    assert until(lambda: scattered(at, vendors))
    with at.client() as client:
        assert client.delete(response.headers["location"]).status_code == 202
    assert vendors.openai.wait_for(connections=0, timeout=AT_ONCE_S)
    return ended(at, response.json()["id"])


def left(at: Served, vendors: Vendors) -> End:
    """The client that waits for it goes."""
    content = msgspec.json.encode(request(orchestration=VOTE))
    head = (
        "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", at.port), PATIENCE_S) as client:
        client.sendall(head.encode() + content)
        assert until(lambda: scattered(at, vendors))
        (future,) = at.hub.engine.runs.futures()
    assert vendors.openai.wait_for(connections=0, timeout=AT_ONCE_S)
    return ended(at, future.run_id)


def given_up(at: Served, vendors: Vendors) -> End:
    """The host that embeds it has changed its mind."""
    future = at.hub.submit("Why?", **VOTE)
    assert until(lambda: scattered(at, vendors))
    assert future.cancel()
    assert vendors.openai.wait_for(connections=0, timeout=AT_ONCE_S)
    with pytest.raises(Cancelled) as cancelled:
        future.result(PATIENCE_S)
    body: End = msgspec.json.decode(error_body(cancelled.value))
    return body


def too_late(at: Served, vendors: Vendors) -> End:
    """Its time is up."""
    policy = {"max_latency_ms": DEADLINE_MS}
    response = at.post(request(orchestration=VOTE, policy=policy))
    assert vendors.openai.wait_for(connections=0, timeout=AT_ONCE_S)
    body: End = response.json()
    return body


@pytest.mark.parametrize("way", [deleted, left, given_up, too_late])
def test_every_call_is_reached_and_settled(
    vendors: Vendors, at: Served, way: Callable[[Served, Vendors], End]
) -> None:
    """What was answered is paid as billed, what was on the wire by estimate, what waited not at
    all; its socket is closed, nothing is held, and the next request is served.
    """
    end = way(at, vendors)
    if way is too_late:
        assert (end["status"], end["response"]["responses"][0]["content"]) == ("degraded", PAID)
        assert "deadline" in end["reasons"]
    else:
        assert (end["code"], end["partial"]) == ("cancelled", PAID)
    models = {state.model.id: state.model for state in at.hub.models()}
    (on_wire,) = vendors.openai.calls
    sent = input_estimate(msgspec.json.encode(on_wire.messages))
    assert [(c["model"], c["status"], c["estimated"]) for c in end["calls"]] == [
        (CLAUDE, "ok", False),
        (on_wire.model, "cancelled", True),
    ]
    prices = [models[call["model"]].price for call in end["calls"]]
    assert [nano(call["cost_usd"]) for call in end["calls"]] == [
        cost_nano(usage, price)
        for usage, price in zip((USAGE, Usage(input=sent)), prices, strict=True)
        if price is not None
    ]
    assert end["cost"]["estimated"]
    assert sum(nano(call["cost_usd"]) for call in end["calls"]) == nano(end["cost"]["spent_usd"])
    assert (held_nano(at.hub), spent_nano(at.hub)) == (0, nano(end["cost"]["spent_usd"]))
    vendors.openai.answers(Reply("Here again."))
    assert until(lambda: is_at_rest(at.hub, "openai"))
    again = at.post(request(orchestration={"primary_model_id": GPT}))
    assert again.json()["negotiated_model"] == GPT
