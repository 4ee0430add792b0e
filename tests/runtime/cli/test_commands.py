"""The commands: what they print where, and the status they end with."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from actors.errors import (
    AllModelsFailed,
    BadRequest,
    BudgetExceeded,
    DeadlineExceeded,
    PlanError,
)
from runtime.cli import app as commands
from runtime.cli import main
from runtime.cli.check import _listing
from runtime.cli.ends import exit_status, one_line
from runtime.cli.setup import configured, database_of
from runtime.secret import Secret
from runtime.vendors import DialectName, VendorConnection


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own data folder, an empty folder to work in, no vendor's key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Ran:
    """A command that was run: its status, and what it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.status = main(arguments)
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


# --- wrong use and other ends -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan"], "requires an argument"),
        (["plan", "x", "--mode", "debate"], '"debate" for --mode'),
        (["plan", "x", "--param", "temperature"], "--param must be NAME=VALUE, got temperature"),
        (["plan", "x", "--schema", "nowhere.json"], "cannot read nowhere.json: no such file"),
        (["plan", "x", "--iterations", "11"], "iterations must be between 0 and 10"),
        (["plan", "x", "--config", "nowhere.toml"], "nowhere.toml: no such file"),
        (["serve", "--socket", "8081"], "--socket must be HOST:PORT or unix:PATH"),
        (["serve", "--http", "8080"], "--http must be HOST:PORT"),
        (["keys", "create", "--name", "x", "--rate", "0"], "--rate must be at least 1"),
        (["keys", "create", "--name", "x", "--expires", "soon"], "--expires must be a date"),
        (["keys", "create", "--name", "x", "--scope", "all"], '"all" for --scope'),
        (["fly"], 'Unknown command "fly"'),
    ],
)
def test_wrong_use_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Status 2, nothing on standard output, no traceback."""
    ran = Ran(capsys, *arguments)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("planhub: ")
    assert words in ran.err


@pytest.mark.parametrize(
    ("error", "status", "hint"),
    [
        (BudgetExceeded("budget exceeded: x"), 3, "--max-budget-usd"),
        (DeadlineExceeded("deadline exceeded"), 4, "--deadline"),
        (BadRequest("unknown model: x", code="unknown_model"), 2, "planhub models"),
        (AllModelsFailed("x: timeout"), 1, "planhub check"),
        (PlanError("odd"), 1, ""),
    ],
)
def test_every_end_has_its_status(error: PlanError, status: int, hint: str) -> None:
    """And says what can be done about it."""
    assert exit_status(error) == status
    assert hint in one_line(error)


def test_an_interrupt_ends_as_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "app", interrupted)
    assert Ran(capsys, "plan", "x").status == 130


# --- help and check ---------------------------------------------------------------------------


COMMANDS = (
    "",
    "plan",
    "serve",
    "keys",
    "models",
    "ledger",
    "check",
    "runs",
    "show",
    "replay",
    "prune",
    "backup",
    "judges",
    "evaluate",
    "keys create",
    "keys list",
    "keys rotate",
    "keys revoke",
    "ledger settle",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    ran = Ran(capsys, *command.split(), "--help")
    assert ran.status == 0
    assert f"Usage: planhub {command}".strip() in ran.out


def test_help_waits_for_nothing_that_does_the_work() -> None:
    """Neither the actors nor what runs them is imported to tell which commands there are."""
    program = (
        "import sys; from runtime.cli import main; main(['--help'])\n"
        "print({'actors', 'httpx', 'msgspec', 'sqlite3', 'trio'} & sys.modules.keys())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Usage: planhub COMMAND")
    assert ran.stdout.endswith("\nset()\n")


def test_the_defaults_are_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "check", "--defaults")
    assert ran.status == 0
    assert "max_request_bytes = 8388608" in ran.out


def test_check_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The simulated vendor is always there."""
    ran = Ran(capsys, "check", "--json")
    assert ran.status == 0
    (vendor,) = ran.json["vendors"]
    assert (vendor["provider"], vendor["path"], vendor["reached"]) == (
        "simulated", "in this process", True,
    )  # fmt: skip


class Vendor(BaseHTTPRequestHandler):
    """Lists models to whoever has the key."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["authorization"]))
        self.send_response(200 if self.headers["authorization"] == "Bearer right" else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def vendor(home: Path) -> Iterator[type[Vendor]]:
    """A vendor on a socket, configured in `planhub.toml` beside one that is not there."""
    Vendor.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    (home / "planhub.toml").write_text(
        f'[[providers]]\nid = "v"\ndialect = "openai"\napi_key_env = "V_KEY"\n'
        f'base_url = "http://127.0.0.1:{server.server_address[1]}/v1"\n'
        f'[[models]]\nid = "m"\nprovider = "v"\nfree = true\n'
    )
    yield Vendor
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("key", "status", "told"),
    [
        ("right", 0, "answered 200"),
        ("wrong", 1, "the key is not accepted"),
        (None, 1, "missing"),
    ],
)
def test_check_reaches_each_vendor(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    vendor: type[Vendor],
    key: str | None,
    status: int,
    told: str,
) -> None:
    """With its key, which is never shown."""
    if key is not None:
        monkeypatch.setenv("V_KEY", key)
    ran = Ran(capsys, "check", "--json")
    assert ran.status == status
    assert told in ran.out
    assert vendor.asked == [("/v1/models", key and f"Bearer {key}")]
    assert f"Bearer {key}" not in ran.out
    assert '"path": "reactor"' in ran.out


def test_check_says_how_a_vendor_is_reached(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, vendor: type[Vendor]
) -> None:
    """By the reactor, unless the environment wants something else: then what."""
    monkeypatch.setenv("V_KEY", "right")
    monkeypatch.setattr("runtime.cli.check.unusual_at", lambda url: "a proxy leads to it")
    ran = Ran(capsys, "check", "--json")
    assert '"path": "httpx: a proxy leads to it"' in ran.out


@pytest.mark.parametrize(
    ("dialect", "base", "address", "header"),
    [
        ("openai", "http://v/v1", "http://v/v1/models", "authorization"),
        ("anthropic", "http://v", "http://v/v1/models", "x-api-key"),
        ("gemini", "http://v", "http://v/v1beta/models", "x-goog-api-key"),
        ("gemini", "http://v/v1", "http://v/v1/models", "x-goog-api-key"),
    ],
)
def test_models_are_listed_in_each_vendor_s_way(
    dialect: DialectName, base: str, address: str, header: str
) -> None:
    url, headers = _listing(VendorConnection("v", dialect, base, Secret("right")))
    assert url == address
    assert headers[header].removeprefix("Bearer ") == "right"


def test_a_vendor_that_is_not_there(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "planhub.toml").write_text(
        '[[providers]]\nid = "v"\ndialect = "anthropic"\nbase_url = "http://127.0.0.1:9"\n'
        '[[models]]\nid = "m"\nprovider = "v"\nfree = true\n'
    )
    ran = Ran(capsys, "check")
    assert ran.status == 1
    assert "refused" in ran.out


def test_the_database_is_the_user_s_own(home: Path) -> None:
    """A file in the data folder, which nobody else can look into."""
    path = database_of(configured(None))
    assert path == home / "data" / "planhub" / "planhub.db"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_used(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "data").write_text("a file in its place")
    ran = Ran(capsys, "keys", "list")
    assert ran.status == 1
    assert "name another place with [server] database in planhub.toml" in ran.err
