"""One name, one run: as clients of the HTTP API see it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime.keys import KeyBook
from runtime.storage.database import connect
from tests.end_to_end.rig import PATIENCE_S, Served, Vendors, configured, request, served, until

NAME = "idempotency-key"
REPLAY = "idempotency-replay"


@pytest.fixture
def at(vendors: Vendors, tmp_path: Path) -> Iterator[Served]:
    with served(configured(vendors), tmp_path / "planhub.db") as at:
        yield at


def hold(vendors: Vendors) -> None:
    for vendor in vendors:
        vendor.hold()


def release(vendors: Vendors) -> None:
    for vendor in vendors:
        vendor.release()


def test_twenty_at_once_are_one_run(vendors: Vendors, at: Served) -> None:
    """One call upstream; all twenty have its answer, and all but one are told that it is that."""
    hold(vendors)
    body = request()
    with ThreadPoolExecutor(20) as clients:
        asked = [clients.submit(at.post, body, **{NAME: "k"}) for _ in range(20)]
        assert until(lambda: len(vendors.calls) == 1)
        release(vendors)
        answers = [one.result(PATIENCE_S) for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [REPLAY in answer.headers for answer in answers].count(False) == 1
    assert at.post(body, **{NAME: "k"}).content == answers[0].content
    assert len(vendors.calls) == 1


def test_another_body_is_refused(at: Served) -> None:
    """Under a name that has an answer, and under one that has none yet."""
    assert at.post(request(), **{NAME: "k"}).status_code == 200
    refused = at.post(request("something else"), **{NAME: "k"})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
    assert refused.json()["error"] == "idempotency key used with another request"


def test_a_client_that_leaves_finds_its_answer(vendors: Vendors, at: Served) -> None:
    """Its run goes on without it."""
    hold(vendors)
    content = msgspec.json.encode(request())
    head = (
        "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"{NAME}: k\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", at.port), PATIENCE_S) as client:
        client.sendall(head.encode() + content)
        assert until(lambda: len(vendors.calls) == 1)
    release(vendors)
    answer = at.post(request(), **{NAME: "k"})
    assert (answer.status_code, answer.headers[REPLAY]) == (200, "true")
    assert len(vendors.calls) == 1


def test_with_a_larger_budget_it_goes_on(vendors: Vendors, at: Served) -> None:
    """Under the same id; then its answer is kept."""
    poor, rich = (request(policy={"max_budget_usd": usd}) for usd in (0, 1))
    refused = at.post(poor, **{NAME: "k"})
    assert (refused.status_code, refused.json()["code"]) == (402, "budget_exceeded")
    answer = at.post(rich, **{NAME: "k"})
    assert (answer.status_code, answer.json()["id"]) == (200, refused.json()["id"])
    assert REPLAY not in answer.headers
    assert at.post(rich, **{NAME: "k"}).headers[REPLAY] == "true"
    assert at.post(poor, **{NAME: "k"}).status_code == 409
    assert len(vendors.calls) == 1


def test_a_key_s_names_and_runs_are_its_own(vendors: Vendors, tmp_path: Path) -> None:
    """Over restarts too; only `admin` sees the runs of others."""
    database = tmp_path / "planhub.db"
    book = KeyBook(lambda: connect(database))
    alice, bob = (book.create(name)[1] for name in ("alice", "bob"))
    root = book.create("root", scopes=("admin",))[1]
    ids: dict[str, set[Any]] = {alice: set(), bob: set()}
    for _ in range(2):
        with served(configured(vendors), database) as at, at.client() as client:
            for key, runs in ids.items():
                answer = at.post(request(), **{NAME: "k", "x-api-key": key})
                runs.add(answer.json()["id"])
            (run,) = ids[alice]
            seen = {
                key: client.get(f"/v1/plan/{run}", headers={"x-api-key": key}).status_code
                for key in (alice, bob, root)
            }
            assert list(seen.values()) == [200, 404, 200]
    assert [len(runs) for runs in ids.values()] == [1, 1]
    assert ids[alice] != ids[bob]
    assert len(vendors.calls) == 2
