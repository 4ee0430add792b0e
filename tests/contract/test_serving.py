"""A server from its first line to its last: what it says, and what it does when told to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.rig import request, until
from tests.end_to_end.shell import Server, Shell

CONFIG = """
[server]
database = "planhub.db"
[aliases]
"old-name" = "sim-sage"
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 0, seed = 7}
"""
HELD_S = 10.0


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "planhub.toml").write_text(CONFIG)
    return Shell(tmp_path)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "errors.txt"


@pytest.fixture
def server(shell: Shell, log: Path) -> Iterator[Server]:
    with log.open("wb") as errors, shell.serving(errors=errors.fileno()) as server:
        yield server


def asking_for(server: Server, model: str) -> int:
    body = request("a secret prompt", orchestration={"primary_model_id": model})
    return server.post(body).status_code


def test_a_run_is_a_line_of_the_log(server: Server, log: Path) -> None:
    """With what it came to, and nothing of what was said."""
    answered = server.post(request("a secret prompt")).json()
    (line,) = log.read_text().splitlines()
    assert (
        f"run {answered['id']} planning complete: 1 calls, ${answered['estimated_cost_usd']:.6f}"
        in line
    )
    assert "secret" not in line


def test_a_reload_takes_all_or_nothing(server: Server, tmp_path: Path, log: Path) -> None:
    """What is not valid changes nothing, and says so; what is holds from then on."""
    file = tmp_path / "planhub.toml"
    assert asking_for(server, "new-name") == 400
    file.write_text(CONFIG.replace("old-name", "new-name"))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: asking_for(server, "new-name") == 200)
    assert asking_for(server, "old-name") == 400
    file.write_text("voters = 3\n")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "unknown key: voters" in log.read_text())
    assert asking_for(server, "new-name") == 200


def test_time_that_is_up_at_once(shell: Shell, server: Server) -> None:
    """Is a deadline at a server and on the command line, where nothing is ready yet."""
    body = request(policy={"max_latency_ms": 0})
    response = server.post(body)
    assert (response.status_code, response.json()["code"]) == (504, "deadline")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(HELD_S)
    ended = shell.run("plan", "hi", "--deadline", "0")
    assert (ended.returncode, ended.stdout) == (4, "")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_an_open_door_is_refused_in_one_line(shell: Shell, host: str) -> None:
    """That says what to do; the books are closed again."""
    ended = shell.run("serve", "--http", f"{host}:0")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert "planhub keys create" in line


def test_one_server_a_database(shell: Shell, server: Server) -> None:
    """Another one says so, in one line."""
    assert server.post(request()).status_code == 200
    ended = shell.run("serve", "--http", "127.0.0.1:0")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "in use" in line
