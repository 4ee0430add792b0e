"""The socket of a server that is told to stop, or killed, while vendors work for it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from runtime.testing import Reply, judging
from tests.end_to_end.rig import GPT, PATIENCE_S, Vendors, request, until
from tests.end_to_end.shell import WITHIN_S, Server, Shell
from tests.runtime.frontends.socket.rig import Caller

HANG = Reply(fault="hang")
TCP = ("--socket", "127.0.0.1:0")


def plan(id: Any, **fields: Any) -> dict[str, Any]:
    body = request(orchestration={"primary_model_id": GPT})
    return {"type": "plan", "id": id, "body": body, **fields}


def is_draining(server: Server) -> bool:
    with server.client() as client:
        return client.get("/readyz").status_code == 503


def test_a_drained_server_answers_what_it_has_begun(
    shell: Shell, vendors: Vendors, tmp_path: Path
) -> None:
    """What is new is refused; then it ends with 0, and its file is gone."""
    path = tmp_path / "planhub.sock"
    vendors.openai.hold()
    with shell.serving("--socket", f"unix:{path}") as server, Caller(server.socket) as caller:
        caller.say(plan(1))
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        server.process.send_signal(signal.SIGTERM)
        assert until(lambda: is_draining(server))
        caller.say(plan(2))
        refused = caller.hear()
        assert (refused["id"], refused["status"], refused["body"]["code"]) == (2, 503, "draining")
        vendors.openai.release()
        (answer,) = caller.rest()
        assert server.process.wait(WITHIN_S) == 0
    assert (answer["type"], answer["id"]) == ("result", 1)
    assert not path.exists()


def test_a_second_signal_has_no_patience(shell: Shell, vendors: Vendors) -> None:
    """What still runs is cancelled, and its client is told."""
    vendors.answer(HANG)
    with shell.serving(*TCP) as server, Caller(server.socket) as caller:
        caller.say(plan(1))
        assert until(lambda: len(vendors.calls) == 1)
        server.process.send_signal(signal.SIGTERM)
        assert until(lambda: is_draining(server))
        server.process.send_signal(signal.SIGTERM)
        (error,) = caller.rest()
        assert (error["id"], error["status"]) == (1, 499)
        assert server.process.wait(WITHIN_S) == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_with_a_name_goes_on_in_the_next_server(
    shell: Shell, vendors: Vendors, end: signal.Signals
) -> None:
    vendors.answer(HANG)
    with shell.serving(*TCP) as server, Caller(server.socket) as caller:
        caller.say(plan(1, idempotency_key="mine"))
        assert until(lambda: len(vendors.calls) == 1)
        server.process.send_signal(end)
        if end is signal.SIGTERM:
            assert until(lambda: is_draining(server))
            server.process.send_signal(end)
            (error,) = caller.rest()
            assert error["body"]["code"] == "draining"
        server.process.wait(WITHIN_S)
    vendors.answer(judging())
    with shell.serving(*TCP) as server, Caller(server.socket) as caller:
        caller.say(plan(1, idempotency_key="mine"), plan(2, idempotency_key="mine"))
        one, two = caller.hear(), caller.hear()
    assert one["type"] == "result"
    assert one["body"] == two["body"]


def test_where_it_is_served(shell: Shell, tmp_path: Path) -> None:
    """At what the file names; at what the command line names instead; else not beside an address
    of HTTP that was asked for.
    """
    with shell.serving() as server:
        assert server.socket == ""
    file = tmp_path / "planhub.toml"
    file.write_text(f'[server]\nsocket = "unix:{tmp_path}/one"\n' + file.read_text())
    with shell.serving() as server, Caller(server.socket):
        assert server.socket == f"unix:{tmp_path}/one"
        ended = shell.run("serve", "--http", "127.0.0.1:0", "--socket", server.socket)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    with shell.serving("--socket", f"unix:{tmp_path}/two") as server, Caller(server.socket):
        assert server.socket == f"unix:{tmp_path}/two"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--socket", "0.0.0.0:0"), "planhub keys create"),
        (("--socket", "unix:/proc/none"), "choose another with --socket HOST:PORT or unix:PATH"),
        ((*TCP, "--socket-cert", "none.pem"), "cannot use the certificate in none.pem"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    shell: Shell, options: tuple[str, ...], words: str
) -> None:
    ended = shell.run("serve", "--http", "127.0.0.1:0", *options)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert words in line
