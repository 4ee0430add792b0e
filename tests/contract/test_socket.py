"""The msgpack socket in raw bytes, as a client in another language writes and reads them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from tests.end_to_end.shell import Server, Shell

CONFIG = """
[server]
socket = "127.0.0.1:0"
max_frame_bytes = 100000
max_in_flight = 600
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = DELAY, seed = 7}
max_concurrency = 1000
"""
HELLO = b"\x00\x00\x00\x15\x82\xa4type\xa5hello\xa7version\x01"
PING = b"\x00\x00\x00\x10\x82\xa4type\xa4ping\xa2id\xa1p"
CANCEL = b"\x00\x00\x00\x11\x82\xa4type\xa6cancel\xa2id\x07"
HI = b"\x81\xa7request\x81\xa8messages\x91\x82\xa4role\xa4user\xa7content\xa2hi"
PLAN = b"\x00\x00\x00\x4f\x84\xa4type\xa4plan\xa2id\x07\xafidempotency_key\xc0\xa4body" + HI
WATCHED = (
    b"\x00\x00\x00\x6a\x84\xa4type\xa4plan\xa2id\xa4mine\xa6events\xc3\xa4body\x82" + HI[1:]
    + b"\xa6policy\x81\xaemax_budget_usd\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"
)  # fmt: skip
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("quick"), delay_ms=0) as server:
        yield server


@contextmanager
def serving(folder: Path, delay_ms: int) -> Iterator[Server]:
    (folder / "planhub.toml").write_text(CONFIG.replace("DELAY", str(delay_ms)))
    with Shell(folder).serving() as server:
        yield server


@contextmanager
def connected(server: Server) -> Iterator[tuple[socket.socket, BinaryIO]]:
    host, _, port = server.socket.rpartition(":")
    with socket.create_connection((host, int(port)), WITHIN_S) as sock, sock.makefile("rb") as file:
        yield sock, file


def hear(file: BinaryIO) -> Any:
    """The next message; None at the end."""
    head = file.read(4)
    if not head:
        return None
    (size,) = struct.unpack(">I", head)
    return msgspec.msgpack.decode(file.read(size))


def plan(n: int) -> bytes:
    payload = b"\x83\xa4type\xa4plan\xa2id\xcd" + struct.pack(">H", n) + b"\xa4body" + HI
    return struct.pack(">I", len(payload)) + payload


def test_hello_ping_and_plan(server: Server) -> None:
    with connected(server) as (sock, file):
        sock.sendall(HELLO + PING + PLAN)
        welcome = hear(file)
        assert (welcome.pop("type"), welcome.pop("version")) == ("welcome", 1)
        assert set(welcome) == {"server"}
        assert file.read(4 + 16) == PING.replace(b"ping", b"pong")
        result = hear(file)
        assert (set(result), result["type"], result["id"]) == ({"type", "id", "body"}, "result", 7)
        four = {"negotiated_model", "estimated_cost_usd", "routing_reason", "response"}
        ours = {"id", "status", "reasons", "cost", "usage", "calls"}
        assert four | ours <= set(result["body"])
        assert result["body"]["response"]["object"] == "chat.completion"


def test_events(server: Server) -> None:
    """Each is a map within its frame; the result comes after the last."""
    with connected(server) as (sock, file):
        sock.sendall(HELLO + WATCHED)
        hear(file)
        heard = [hear(file)]
        while heard[-1]["type"] == "event":
            heard.append(hear(file))
        *events, result = heard
        assert all(set(event) == {"type", "id", "body"} for event in events)
        assert {event["id"] for event in heard} == {"mine"}
        bodies = [event["body"] for event in events]
        assert [body["seq"] for body in bodies] == list(range(1, len(bodies) + 1))
        assert {body["run"] for body in bodies} == {result["body"]["id"]}
        assert bodies[-1]["event"] == "run_finished"
        assert bodies[-1]["result"] == result["body"]


def test_a_body_that_asks_for_a_stream_has_events(server: Server) -> None:
    payload = b"\x83\xa4type\xa4plan\xa2id\x01\xa4body\x82" + HI[1:] + b"\xa6stream\xc3"
    with connected(server) as (sock, file):
        sock.sendall(HELLO + struct.pack(">I", len(payload)) + payload)
        hear(file)
        assert hear(file)["type"] == "event"


def test_five_hundred_in_flight_are_each_answered_once(server: Server) -> None:
    with connected(server) as (sock, file):
        sock.sendall(HELLO + b"".join(plan(n) for n in range(1_000, 1_500)))
        assert hear(file)["type"] == "welcome"
        heard = [hear(file) for _ in range(500)]
        sock.sendall(PING)
        assert hear(file) == {"type": "pong", "id": "p"}
    assert {message["type"] for message in heard} == {"result"}
    assert sorted(message["id"] for message in heard) == list(range(1_000, 1_500))
    assert len({message["body"]["id"] for message in heard}) == 500


def test_a_cancel_and_what_is_too_much(tmp_path: Path) -> None:
    with serving(tmp_path, delay_ms=3_600_000) as server, connected(server) as (sock, file):
        sock.sendall(HELLO + PLAN + CANCEL)
        hear(file)
        error = hear(file)
        assert set(error) == {"type", "id", "status", "body"}
        assert (error["type"], error["id"], error["status"]) == ("error", 7, 499)
        assert error["body"]["code"] == "cancelled"
        sock.sendall(b"".join(plan(n) for n in range(1_000, 1_601)))
        error = hear(file)
        assert (error["id"], error["status"]) == (1_600, 429)
        assert error["body"]["code"] == "rate_limited"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (PING, 400, "bad_request"),
        (HELLO[:-1] + b"\x02", 400, "bad_request"),
        (HELLO + HELLO, 400, "bad_request"),
        (HELLO + b"\x00\x00\x00\x01\xc1", 400, "bad_request"),
        (HELLO + b"\x00\x00\x00\x01\x80", 400, "bad_request"),
        (HELLO + PING.replace(b"ping", b"pang"), 400, "bad_request"),
        (HELLO + struct.pack(">I", 100_001), 413, "too_large"),
    ],
)
def test_what_ends_a_connection(server: Server, sent: bytes, status: int, code: str) -> None:
    """With one error, that has no id; nothing of what follows is begun."""
    with connected(server) as (sock, file):
        sock.sendall(sent + PLAN)
        heard = list(iter(lambda: hear(file), None))
    *before, error = heard
    assert [message["type"] for message in before] == ["welcome"] * sent.startswith(HELLO)
    assert (error["type"], error["id"], error["status"]) == ("error", None, status)
    assert error["body"]["code"] == code
    assert error["body"]["id"] is None
