"""The server over real sockets, in front of simulated models."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runtime import Planhub
from runtime.frontends.admission import CannotServe
from runtime.frontends.socket.addresses import listen
from runtime.frontends.socket.conversation import Limits
from runtime.frontends.socket.peer import Patience
from runtime.frontends.socket.server import SocketServer
from runtime.keys import KeyBook, KeyRing
from runtime.storage.database import connect
from tests.end_to_end.rig import until
from tests.runtime.frontends.socket.rig import WITHIN_S, Caller, serving, simulated
from tests.runtime.frontends.socket.talk import HELLO, body, plan, said

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
def slow() -> Iterator[Planhub]:
    """Its models do not answer while a test lasts."""
    with Planhub.open(simulated(delay_ms=HANGS)) as hub:
        yield hub


def test_a_plan_is_answered(server: SocketServer) -> None:
    """With the same map as over HTTP."""
    with Caller(server.name) as caller:
        caller.say(plan("a", body=body(orchestration={"mode": "vote"})))
        result = caller.hear()
    assert (result["type"], result["id"]) == ("result", "a")
    assert result["body"]["routing_reason"] == "vote-orchestration"
    assert len(result["body"]["calls"]) == 4


def test_five_hundred_at_once_are_each_answered_once(server: SocketServer) -> None:
    """More often than that, and pipelined behind the hello."""
    with Caller(server.name, hello=False) as caller:
        caller.say(HELLO, *(plan(n) for n in range(500)))
        heard = [caller.hear() for _ in range(501)]
        caller.say({"type": "ping", "id": 0})
        assert caller.hear() == {"type": "pong", "id": 0}
    assert heard[0]["type"] == "welcome"
    assert {message["type"] for message in heard[1:]} == {"result"}
    assert sorted(message["id"] for message in heard[1:]) == list(range(500))


def test_events_come_first_and_in_order(server: SocketServer) -> None:
    with Caller(server.name) as caller:
        caller.say(plan(1, events=True, body=body(orchestration={"mode": "vote"})))
        heard = [caller.hear()]
        while heard[-1]["type"] == "event":
            heard.append(caller.hear())
    *events, result = heard
    assert [event["body"]["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["body"]["event"] == "run_started"
    assert events[-1]["body"]["event"] == "run_finished"
    assert events[-1]["body"]["result"] == result["body"]


def test_a_cancel_ends_its_run_alone(slow: Planhub) -> None:
    with serving(slow) as server, Caller(server.name) as caller:
        caller.say(plan(1), plan(2), {"type": "cancel", "id": 1})
        error = caller.hear()
        assert (error["id"], error["status"], error["body"]["code"]) == (1, 499, "cancelled")
        assert len(slow.engine.runs) == 1


def test_who_leaves_cancels(slow: Planhub) -> None:
    """Except what may be asked for by name."""
    with serving(slow) as server:
        with Caller(server.name) as caller:
            caller.say(plan(1), plan(2), plan(3, idempotency_key="mine"))
            until(lambda: len(slow.engine.runs) == 3)
        until(lambda: len(slow.engine.runs) == 1)
        with Caller(server.name) as caller:
            caller.say(plan(9, idempotency_key="mine"))
            until(lambda: len(slow.engine.runs.futures()) == 2)
            caller.say({"type": "cancel", "id": 9})
            assert caller.hear()["status"] == 499


def test_the_same_name_has_the_same_answer(server: SocketServer) -> None:
    """And another request under it is a conflict."""
    with Caller(server.name) as caller:
        for n in range(3):
            caller.say(plan(n, idempotency_key="mine"))
        first, *again = [caller.hear() for _ in range(3)]
        assert [message["body"] for message in again] == [first["body"]] * 2
        caller.say(plan(4, idempotency_key="mine", body=body("another")))
        assert caller.hear()["body"]["code"] == "idempotency_conflict"
        caller.say(plan(5, idempotency_key="not visible", body=body("another")))
        assert caller.hear()["status"] == 400


def test_a_body_is_refused_as_over_http(server: SocketServer) -> None:
    with Caller(server.name) as caller:
        caller.say(plan(1, body={}), plan(2, body=body(orchestration={"mode": "debate"})))
        one, two = caller.hear(), caller.hear()
    text = "messages required"
    assert one["body"] == {"error": text, "code": "messages_required", "id": None}
    assert two["body"]["error"] == "unknown orchestration mode"


def test_more_than_may_be_in_flight(slow: Planhub) -> None:
    limits = Limits(max_in_flight=3)
    with serving(slow, limits=limits) as server, Caller(server.name) as caller:
        caller.say(*(plan(n) for n in range(5)))
        heard = [caller.hear(), caller.hear()]
        assert [(m["id"], m["status"]) for m in heard] == [(3, 429), (4, 429)]


def test_a_full_engine() -> None:
    config = simulated(delay_ms=HANGS, max_runs=1)
    with Planhub.open(config) as hub, serving(hub) as server, Caller(server.name) as caller:
        caller.say(plan(1), plan(2))
        error = caller.hear()
    assert (error["id"], error["status"], error["body"]["code"]) == (2, 429, "rate_limited")


def test_a_draining_engine(hub: Planhub, server: SocketServer) -> None:
    with Caller(server.name) as caller:
        hub.engine.drain()
        caller.say(plan(1))
        error = caller.hear()
    assert (error["status"], error["body"]["code"]) == (503, "draining")


def test_a_drain_waits_for_what_runs(slow: Planhub) -> None:
    """And what is left is answered by what its engine makes of it."""
    with serving(slow) as server, Caller(server.name) as caller:
        assert server.drained().get(WITHIN_S) is None
        caller.say(plan(1))
        until(lambda: len(slow.engine.runs) == 1)
        drained = server.drained()
        assert not drained.done()
        server.leave()
        assert drained.get(WITHIN_S) is None
        assert caller.hear()["status"] == 499
        server.stop()
        assert caller.rest() == []


# --- keys -------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> KeyBook:
    return KeyBook(partial(connect, tmp_path / "keys.db"))


@pytest.fixture
def guarded(hub: Planhub, book: KeyBook, tmp_path: Path) -> Iterator[SocketServer]:
    """Asks for keys."""
    book.create("first")
    ring = KeyRing(partial(connect, tmp_path / "keys.db", read_only=True))
    with serving(hub, keys=ring) as server:
        yield server
    ring.close()


@pytest.mark.parametrize("key", [{}, {"api_key": "planhub_" + "0" * 64}, {"api_key": "x"}])
def test_a_wrong_key_is_shown_the_door(guarded: SocketServer, key: dict[str, str]) -> None:
    with Caller(guarded.name, hello=False) as caller:
        caller.say({**HELLO, **key}, plan(1))
        (error,) = caller.rest()
    assert (error["id"], error["status"], error["body"]["code"]) == (None, 401, "unauthorized")


def test_a_key_is_let_in(guarded: SocketServer, book: KeyBook, hub: Planhub) -> None:
    """Its runs are its own, and a revocation is heeded by connections that are open."""
    key, text = book.create("second")
    with Caller(guarded.name, hello=False) as caller:

        def told() -> Any:
            caller.say(plan(1))
            return caller.hear()

        def welcome() -> bool:
            caller.say({**HELLO, "api_key": text})
            return caller.hear()["type"] == "welcome"

        until(lambda: guarded.admission.asks_for_keys)
        assert welcome()
        answer = told()
        assert hub.get(answer["body"]["id"]).key == key.id
        book.revoke("second")
        until(lambda: told()["type"] == "error", within_s=2.5)
        assert told()["status"] == 401


def test_a_key_may_do_less(guarded: SocketServer, book: KeyBook) -> None:
    """One without the scope is told with each plan, one with a rate when it is too fast."""
    _, chatty = book.create("chatty", scopes=("chat",))
    _, hasty = book.create("hasty", requests_per_minute=1)
    for text, status in ((chatty, 403), (hasty, 429)):
        with Caller(guarded.name, hello=False) as caller:
            caller.say({**HELLO, "api_key": text}, plan(1), plan(2))
            assert caller.hear()["type"] == "welcome"
            assert status in {caller.hear().get("status"), caller.hear().get("status")}


# --- clients that do not behave -----------------------------------------------------------------


def test_who_does_not_read_is_not_read(slow: Planhub) -> None:
    """Nor kept when it never does; nobody else is held up."""
    patience = Patience(high_water=10_000, output_s=0.3)
    with serving(slow, patience=patience) as server:
        deaf = Caller(server.name)
        with deaf, Caller(server.name) as other:
            deaf.socket.settimeout(0.1)
            flood = [{"type": "ping", "id": "x" * 4_000}] * 10_000
            with pytest.raises(OSError, match=r"timed out|reset|Broken pipe"):
                deaf.say(*flood)
            other.say({"type": "ping", "id": 1})
            assert other.hear() == {"type": "pong", "id": 1}
            until(lambda: len(server._peers) == 1)


def test_a_slow_reader_gets_everything(hub: Planhub) -> None:
    patience = Patience(high_water=10_000)
    with serving(hub, patience=patience) as server, Caller(server.name) as caller:
        threading.Thread(
            target=lambda: caller.say(*(plan(n, body=body("x" * 5_000)) for n in range(400)))
        ).start()
        heard = [caller.hear()["id"] for _ in range(400)]
    assert sorted(heard) == list(range(400))


@pytest.mark.parametrize("sent", [b"", b"\0", said(HELLO)[:-1]])
def test_a_hello_that_does_not_come(hub: Planhub, sent: bytes) -> None:
    with (
        serving(hub, patience=Patience(hello_s=0.05)) as server,
        Caller(server.name, hello=False) as caller,
    ):
        caller.socket.sendall(sent)
        (error,) = caller.rest()
    assert (error["id"], error["status"]) == (None, 408)


def test_a_frame_that_does_not_end(hub: Planhub) -> None:
    with serving(hub, patience=Patience(frame_s=0.05)) as server, Caller(server.name) as caller:
        caller.socket.sendall(said(plan(1))[:-1])
        (error,) = caller.rest()
    assert (error["id"], error["status"]) == (None, 408)


@pytest.mark.parametrize("flood", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100_000, b"\0" * 100_000])
def test_what_is_not_msgpack_is_told_so(server: SocketServer, flood: bytes) -> None:
    """Even when more of it was sent than is read."""
    with Caller(server.name) as caller:
        caller.socket.sendall(flood)
        (error,) = caller.rest()
    assert (error["type"], error["id"]) == ("error", None)


def test_too_many_connections(hub: Planhub) -> None:
    with serving(hub, max_connections=1) as server:
        with Caller(server.name), Caller(server.name, hello=False) as late:
            (error,) = late.rest()
            assert (error["id"], error["status"]) == (None, 429)
        until(lambda: not server._peers)
        Caller(server.name).socket.close()


def test_bytes_one_by_one(server: SocketServer) -> None:
    with Caller(server.name, hello=False) as caller:
        for byte in said(HELLO, plan(1)):
            caller.socket.send(bytes([byte]))
        assert [caller.hear()["type"], caller.hear()["type"]] == ["welcome", "result"]


def test_a_large_request(server: SocketServer) -> None:
    with Caller(server.name) as caller:
        caller.say(
            plan(1, body=body(request={**body()["request"], "meta": {"x": "x" * 3_000_000}}))
        )
        assert caller.hear()["type"] == "result"


# --- Unix -------------------------------------------------------------------------------------


def test_a_unix_socket(hub: Planhub, tmp_path: Path) -> None:
    """Is its user's alone, and removed at the end."""
    path = tmp_path / "planhub.sock"
    with serving(hub, f"unix:{path}") as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with Caller(server.name) as caller:
            caller.say(plan(1))
            assert caller.hear()["type"] == "result"
        with pytest.raises(CannotServe, match="another server does"):
            listen(f"unix:{path}")
    until(lambda: not path.exists())


def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "planhub.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listen(f"unix:{path}").close()
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(CannotServe, match="there is a file"):
        listen(f"unix:{path}")
    assert path.read_text() == "a file"


def test_addresses() -> None:
    with closing(listen("127.0.0.1:0")) as taken, pytest.raises(CannotServe, match="in use; ch"):
        listen(taken.name)
    with pytest.raises(CannotServe, match=r"listen on 127\.0\.0\.1 instead of 0\.0\.0\.0"):
        listen("0.0.0.0:0")
    for wrong in ("unix:", "localhost", "unix:" + "x" * 200, "1.2.3.4:99999"):
        with pytest.raises(ValueError, match="must"):
            listen(wrong)
