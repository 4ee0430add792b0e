"""Whole commands on the simulated models: answers, books, keys and the server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from runtime.storage.database import alone

WITHIN_S = 20.0
QUICK = """
[server]
http = "127.0.0.1:0"
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 1, seed = 7}
[aliases]
"claude-opus" = "sim-sage"
"""


class Home:
    """A user with an own data folder and quick simulated models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        (folder / "planhub.toml").write_text(QUICK)
        hidden = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"}
        self.env = {name: value for name, value in os.environ.items() if name not in hidden}
        self.env |= {
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "PYTHONPATH": str(Path(__file__).parents[3]),
        }

    def command(self, *arguments: str) -> list[str]:
        script = "import sys; from runtime.cli import main; sys.exit(main())"
        return [sys.executable, "-c", script, *arguments]

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.env,
            input=typed,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    @contextmanager
    def serving(self) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        """`planhub serve`, and the address it says it listens on."""
        with (
            self.log.open("w") as log,
            subprocess.Popen(
                self.command("serve"),
                cwd=self.folder,
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as server,
        ):
            assert server.stdout is not None
            try:
                line = server.stdout.readline()
                address = re.search(r"http://127\.0\.0\.1:\d+", line)
                assert address, line
                yield address[0], server
            finally:
                server.kill()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_vote_and_its_books(home: Home) -> None:
    """The answer alone on standard output; the rest on standard error; the money in the books."""
    ran = home.run("plan", "-", "--mode", "vote", "--max-budget-usd", "0.9", typed="Design an API")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
    for words in ("Candidates", "Verdict", "Calls", "Cost", "of $0.90", "are simulated"):
        assert words in ran.stderr
        assert words not in ran.stdout

    books = json.loads(home.run("ledger", "--json").stdout)
    assert set(books) == {"rows", "limits", "uncertain", "held_usd"}
    assert sum(row["calls"] for row in books["rows"]) == 4
    assert set(books["rows"][0]) == {"key", "model", "mode", "day", "calls", "spent_usd"}
    assert {row["mode"] for row in books["rows"]} == {"vote"}
    assert sum(row["spent_usd"] for row in books["rows"]) > 0
    assert (books["uncertain"], books["held_usd"]) == ([], 0)
    assert "vote" in home.run("ledger").stdout
    database = home.folder / "data" / "planhub" / "planhub.db"
    assert database.stat().st_mode & 0o777 == 0o600


def test_a_database_in_use_costs_a_run_its_books_and_not_its_answer(home: Home) -> None:
    """Unless a month's limit is to be kept: two ledgers would both spend it."""
    database = home.folder / "data" / "planhub" / "planhub.db"
    with alone(database):
        ran = home.run("plan", "hi")
        assert ran.returncode == 0
        assert "planhub.db is in use" in ran.stderr.replace("\n", "")
        config = "[defaults]\nmonthly_budget_usd = 10\n" + QUICK
        (home.folder / "planhub.toml").write_text(config)
        refused = home.run("plan", "hi")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "is in use by another planhub" in refused.stderr


def test_json_is_the_body(home: Home) -> None:
    ran = home.run("plan", "hi", "--mode", "adversarial", "--json", "--param", "temperature=0.1")
    body = json.loads(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert body["routing_reason"] == "adversarial-orchestration"
    assert {"initial_plan", "critique", "refined_plan"} <= body["response"].keys()
    assert body["cost"]["calls"] == 3


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--max-budget-usd", "0"], 3, "allow more with --max-budget-usd"),
        (["--primary-model", "gpt-9"], 2, "unknown model: gpt-9; `planhub models` lists them"),
        (["--deadline", "0"], 4, "allow more time with --deadline"),
    ],
)
def test_how_a_run_may_end(home: Home, arguments: list[str], status: int, words: str) -> None:
    """One line that says what to do, and the status that says why."""
    ran = home.run("plan", "hi", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (status, "", 1)
    assert words in ran.stderr


def test_models_and_their_state(home: Home) -> None:
    models = json.loads(home.run("models", "--json").stdout)
    assert {model["id"] for model in models["models"]} >= {"sim-sage", "sim-sprinter"}
    assert all(model["available"] and model["key_present"] for model in models["models"])
    assert models["aliases"] == {"claude-opus": "sim-sage"}
    assert "sim-sage" in home.run("models").stdout


REQUEST = {"request": {"messages": [{"role": "user", "content": "hi"}]}}


def refused_in_time(client: httpx.Client, headers: dict[str, str]) -> bool:
    """Whether the server comes to ask for another key, asked again and again."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        if client.get("/v1/plan/nothing", headers=headers).status_code == 401:
            return True
    return False


def test_keys_beside_a_running_server(home: Home) -> None:
    """Without a key anybody here may ask; from the first one on nobody without, within 2 s."""
    with home.serving() as (address, server), httpx.Client(base_url=address) as client:
        assert client.post("/v1/plan", json=REQUEST).status_code == 200
        created = json.loads(home.run("keys", "create", "--name", "ci", "--json").stdout)
        assert created["key"].startswith("planhub_")
        listed = home.run("keys", "list")
        assert "ci" in listed.stdout
        assert created["key"] not in listed.stdout
        headers = {"x-api-key": created["key"]}
        assert refused_in_time(client, {})
        assert client.post("/v1/plan", json=REQUEST, headers=headers).status_code == 200
        assert home.run("keys", "revoke", "ci").returncode == 0
        assert refused_in_time(client, headers)
        server.send_signal(signal.SIGTERM)
        assert server.wait(WITHIN_S) == 0
    assert "ERROR" not in home.log.read_text()
