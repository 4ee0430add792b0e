"""Runs watched over HTTP: from the first event to the last, from any of them on, by anybody who
may, and across a restart.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from runtime.keys import KeyBook
from runtime.storage.database import connect
from runtime.testing import Reply, judging
from tests.end_to_end.rig import (
    GPT,
    PATIENCE_S,
    Served,
    Vendors,
    configured,
    held_nano,
    request,
    served,
    until,
)
from tests.end_to_end.watching import check, rest, streaming, watched

ASYNC = {"prefer": "respond-async"}


@pytest.fixture
def at(vendors: Vendors) -> Iterator[Served]:
    with served(configured(vendors)) as at:
        yield at


def begun(at: Served, body: object, **headers: str) -> str:
    """The id of a run that goes on by itself."""
    response = at.post(body, **(ASYNC | headers))
    assert response.status_code == 202
    run: str = response.json()["id"]
    return run


def test_a_run_is_seen_from_its_first_event_to_its_last(at: Served) -> None:
    """And the last has the very answer."""
    events = watched(at, request(orchestration={"mode": "vote"}))
    check(events)
    assert events[0]["event"] == "run_started"
    with at.client() as client:
        page = client.get(f"/v1/plan/{events[0]['run']}").json()
    assert events[-1]["result"] == page["result"]


def test_from_every_event_on_there_is_exactly_the_rest(at: Served) -> None:
    """Of a run that has ended."""
    events = watched(at, request(orchestration={"mode": "adversarial"}))
    run = events[0]["run"]
    for after in range(len(events) + 1):
        assert rest(at, run, after) == events[after:]
    assert rest(at, run) == events


def test_a_run_under_way_is_watched_from_any_event_on(vendors: Vendors, at: Served) -> None:
    """Two who come while a vendor thinks see the same, each from where he was."""
    vendors.openai.hold()
    run = begun(at, request(orchestration={"primary_model_id": GPT}))
    assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
    path = f"/v1/plan/{run}/events"
    with streaming(at, "GET", path) as first:
        seen = [next(first), next(first)]
        with streaming(at, "GET", path, **{"last-event-id": "1"}) as second:
            assert next(second) == seen[1]
            vendors.openai.release()
            later = list(first)
            assert list(second) == later
    check([*seen, *later])


def test_who_leaves_a_run_of_his_own_ends_it(vendors: Vendors, at: Served) -> None:
    """Its socket to the vendor is closed, and its money free."""
    vendors.openai.hold()
    body = request(orchestration={"primary_model_id": GPT})
    with streaming(at, "POST", "/v1/plan", body=body) as events:
        run = next(events)["run"]
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
    assert vendors.openai.wait_for(connections=0, timeout=PATIENCE_S)
    *_, last = rest(at, run)
    assert (last["event"], last["status"]) == ("run_failed", 499)
    assert held_nano(at.hub) == 0


@pytest.mark.parametrize("named", [True, False], ids=["by a name", "by a visit"])
def test_who_may_come_back_leaves_the_run_alone(vendors: Vendors, at: Served, named: bool) -> None:
    """And finds all that he has not seen."""
    vendors.openai.hold()
    body = request(orchestration={"primary_model_id": GPT})
    if named:
        with streaming(at, "POST", "/v1/plan", body=body, **{"idempotency-key": "k"}) as events:
            first = next(events)
    else:
        run = begun(at, body)
        with streaming(at, "GET", f"/v1/plan/{run}/events") as events:
            first = next(events)
    assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
    vendors.openai.release()
    later = rest(at, first["run"], 1)
    check([first, *later])
    assert later[-1]["event"] == "run_finished"
    assert len(vendors.calls) == 1


def test_the_same_name_joins_the_stream_from_its_begin(vendors: Vendors, at: Served) -> None:
    """And once the run has ended, sees it all again; nothing is bought twice."""
    vendors.openai.hold()
    body = request(orchestration={"primary_model_id": GPT})
    name = {"idempotency-key": "k"}
    with streaming(at, "POST", "/v1/plan", body=body, **name) as first:
        seen = [next(first)]
        with streaming(at, "POST", "/v1/plan", body=body, **name) as second:
            vendors.openai.release()
            seen += first
            assert list(second) == seen
    check(seen)
    assert watched(at, body, **name) == seen
    assert len(vendors.calls) == 1


def test_a_run_that_fails_says_so_last(vendors: Vendors, at: Served) -> None:
    vendors.answer(Reply("your account is closed", status=403))
    events = watched(at, request())
    check(events)
    assert (events[-1]["event"], events[-1]["status"]) == ("run_failed", 502)
    assert events[-1]["error"]["code"] == "models_failed"


def test_the_events_of_another_key_s_run_are_unknown(vendors: Vendors, tmp_path: Path) -> None:
    """As the run itself is; an admin sees them."""
    database = tmp_path / "planhub.db"
    book = KeyBook(partial(connect, database))
    secrets = {
        name: book.create(name, scopes=scopes)[1]
        for name, scopes in (("alice", ()), ("bob", ()), ("root", ("admin",)))
    }
    with served(configured(vendors), database) as at:

        def status(name: str, run: str) -> int:
            headers = {"x-api-key": secrets[name]} if name else {}
            with at.client() as client:
                return client.get(f"/v1/plan/{run}/events", headers=headers).status_code

        events = watched(at, request(), **{"x-api-key": secrets["alice"]})
        run = events[0]["run"]
        found = {name: status(name, run) for name in ("alice", "bob", "root", "")}
    assert found == {"alice": 200, "bob": 404, "root": 200, "": 401}


def test_after_a_restart_the_last_event_is_known(vendors: Vendors, tmp_path: Path) -> None:
    """From the journal; it is numbered as what comes next."""
    database = tmp_path / "planhub.db"
    with served(configured(vendors), database) as at:
        events = watched(at, request())
        vendors.answer(Reply("your account is closed", status=403))
        failed = watched(at, request())
    with served(configured(vendors), database) as at:
        (last,) = rest(at, events[0]["run"], 2)
        assert (last["event"], last["seq"]) == ("run_finished", 3)
        assert last["result"] == events[-1]["result"]
        (last,) = rest(at, failed[0]["run"])
        assert (last["event"], last["seq"]) == ("run_failed", 1)
        assert (last["status"], last["error"]) == (502, failed[-1]["error"])


def test_a_reader_that_sleeps_holds_nobody_up_and_finds_all_of_it(
    vendors: Vendors, at: Served
) -> None:
    """More than the system's buffers hold: others are served meanwhile."""
    long = "x" * 5_000_000
    vendors.answer(Reply(long))
    whole = {"strip_think": True}
    body = msgspec.json.encode(request(output_format=whole, stream=True))
    with socket.create_connection(("127.0.0.1", at.port), PATIENCE_S) as sleeper:
        head = f"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        sleeper.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        assert until(lambda: vendors.calls)
        assert until(lambda: not at.hub.engine.runs.futures())
        vendors.answer(judging())
        for _ in range(5):
            assert at.post(request()).status_code == 200
        seen = b""
        while not seen.endswith(b"0\r\n\r\n"):
            seen += sleeper.recv(1_048_576)
    assert seen.count(b"event: run_finished\n") == 1
    assert len(seen) > 2 * len(long)


def test_a_server_that_stops_ends_its_streams_with_their_runs(vendors: Vendors, at: Served) -> None:
    """At the first signal what runs goes on, and who watches sees its end."""
    vendors.openai.hold()
    run = begun(at, request(orchestration={"primary_model_id": GPT}))
    with (
        streaming(
            at, "POST", "/v1/plan", body=request(orchestration={"primary_model_id": GPT})
        ) as mine,
        streaming(at, "GET", f"/v1/plan/{run}/events") as other,
    ):
        assert vendors.openai.wait_for(calls=2, timeout=PATIENCE_S)
        at.signal()
        assert until(lambda: at.hub.engine.draining)
        vendors.openai.release()
        assert [list(events)[-1]["event"] for events in (mine, other)] == ["run_finished"] * 2


def test_a_server_that_stops_at_once_tells_its_streams(vendors: Vendors, at: Served) -> None:
    vendors.openai.hold()
    body = request(orchestration={"primary_model_id": GPT})
    with streaming(at, "POST", "/v1/plan", body=body) as events:
        next(events)
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        at.signal()
        at.signal()
        *_, last = events
    assert (last["event"], last["status"]) == ("run_failed", 499)
