"""The server on a real socket: clients that leave, bodies that do not end, and its own end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from runtime.frontends.admission import CannotServe
from runtime.frontends.http import create_app, reading, serve
from runtime.frontends.http.serving import DrainingServer, _bind
from tests.runtime.frontends.fake_hub import ANSWER, FakeHub, body

WITHIN_S = 10.0


@dataclass
class Served:
    hub: FakeHub
    port: int
    server: DrainingServer
    thread: threading.Thread

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=WITHIN_S)

    def stop(self) -> None:
        assert self.server._loop is not None
        self.server._loop.call_soon_threadsafe(self.server.begin_to_stop)


@contextmanager
def served(hub: FakeHub, grace_s: float = WITHIN_S) -> Iterator[Served]:
    server = DrainingServer(create_app(hub, max_request_bytes=100_000), hub, grace_s)
    listener = _bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    running = Served(hub, listener.getsockname()[1], server, thread)
    try:
        with running.client as client:
            assert client.get("/healthz").status_code == 200
        yield running
    finally:
        for run_id in list(hub.futures):
            hub.cancel(run_id)
        if not server.should_exit:
            running.stop()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def test_one_connection_serves_on() -> None:
    """After every refusal the next request on the same connection is answered."""
    with served(FakeHub()) as at, at.client as client:
        assert client.post("/v1/plan", content=b"{").status_code == 415
        assert client.post("/v1/plan", json={}).status_code == 400
        assert client.get("/nowhere").status_code == 404
        assert client.post("/v1/plan", json=body()).content == ANSWER


def test_a_client_that_leaves_cancels_its_run() -> None:
    content = json.dumps(body()).encode()
    head = (
        f"POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    with served(FakeHub(answer=None)) as at:
        with socket.create_connection(("127.0.0.1", at.port), WITHIN_S) as client:
            client.sendall(head.encode() + content)
            run = at.hub.begun.get(timeout=WITHIN_S)
        assert at.hub.given_up.get(timeout=WITHIN_S) == run


def test_a_body_without_an_end_is_told_so() -> None:
    """Neither a long body nor one whose length is not declared is kept in memory or passed on."""

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    with served(FakeHub()) as at:
        for content in (b"x" * 1_000_000, chunks()):
            with at.client as client:
                headers = {"content-type": "application/json"}
                response = client.post("/v1/plan", content=content, headers=headers)
                assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert not at.hub.requests


def test_an_impossible_length_is_refused_unread() -> None:
    """The answer comes before the body does."""
    head = (
        "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        "content-length: 99999999999\r\n\r\n"
    )
    with (
        served(FakeHub()) as at,
        socket.create_connection(("127.0.0.1", at.port), WITHIN_S) as client,
    ):
        client.sendall(head.encode())
        assert client.recv(1_000).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when nothing of it came, nor when it stops on the way."""
    monkeypatch.setattr(reading, "BODY_WITHIN_S", 0.05)
    head = (
        "POST /v1/plan HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        "content-length: 100\r\n\r\n"
    )
    with served(FakeHub()) as at:
        for begun in ("", '{"request":'):
            with socket.create_connection(("127.0.0.1", at.port), WITHIN_S) as client:
                client.sendall((head + begun).encode())
                answer = b"".join(iter(lambda: client.recv(1_000), b""))
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"the body must arrive within 0.05 s" in answer
        assert not at.hub.requests


def test_draining_finishes_what_runs() -> None:
    """New work is refused with Retry-After, a run under way is answered, then the server ends."""
    with served(FakeHub(answer=None)) as at, ThreadPoolExecutor(1) as pool, at.client as client:
        url = f"http://127.0.0.1:{at.port}/v1/plan"
        first = pool.submit(lambda: httpx.post(url, json=body(), timeout=WITHIN_S))
        run = at.hub.begun.get(timeout=WITHIN_S)
        at.stop()
        second = client.post("/v1/plan", json=body())
        assert (second.status_code, bool(second.headers["retry-after"])) == (503, True)
        at.hub.finish(run)
        assert first.result(WITHIN_S).content == ANSWER
        at.thread.join(WITHIN_S)
        assert not at.thread.is_alive()


def test_a_second_signal_has_no_patience() -> None:
    """What still runs is cancelled, and its client is told."""
    with served(FakeHub(answer=None)) as at, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{at.port}/v1/plan"
        waiting = pool.submit(lambda: httpx.post(url, json=body(), timeout=WITHIN_S))
        at.hub.begun.get(timeout=WITHIN_S)
        at.stop()
        at.stop()
        response = waiting.result(WITHIN_S)
        assert (response.status_code, response.json()["code"]) == (499, "cancelled")


def test_grace_ends() -> None:
    with served(FakeHub(answer=None), grace_s=0.01) as at, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{at.port}/v1/plan"
        waiting = pool.submit(lambda: httpx.post(url, json=body(), timeout=WITHIN_S))
        at.hub.begun.get(timeout=WITHIN_S)
        at.stop()
        assert waiting.result(WITHIN_S).status_code == 499


def test_an_open_door_needs_keys() -> None:
    """Elsewhere than on this machine the server does not start without a key."""
    with pytest.raises(CannotServe, match=r"listen on 127\.0\.0\.1 instead of 0\.0\.0\.0, or crea"):
        serve(FakeHub(), "0.0.0.0", 0)


def test_an_address_in_use() -> None:
    with (
        _bind("127.0.0.1", 0) as taken,
        pytest.raises(CannotServe, match="address already in use; choose another with --http"),
    ):
        serve(FakeHub(), "127.0.0.1", taken.getsockname()[1])
