"""A real process with a real fault: each ends in recovery, or in a refusal that says what to do.

`bench/kills.py` does the first of these with forty runs in flight and twenty kills.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from bench.kills import SERVE, kill_again_and_again
from runtime import Planhub
from runtime.config import load
from runtime.storage.audit import audit
from runtime.storage.maintenance import backup
from runtime.storage.reports import uncertain
from tests.end_to_end.rig import request, until

WITHIN_S = 30.0
LOCKED_S = 1.0
NO_ROOM = 1024
"""Bytes of a file that can be written: less than a page."""

CONFIG = """
[server]
database = "books/planhub.db"
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 2, seed = 7}
"""
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


class Home:
    """A folder with a configuration; commands are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "books" / "planhub.db"
        (folder / "planhub.toml").write_text(CONFIG)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SERVE, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            preexec_fn=_obey_permissions,
            check=False,
        )

    @contextmanager
    def serving(self) -> Iterator[tuple[httpx.Client, int]]:
        """A server: somebody who may ask it, and its process id; it ends on SIGTERM, with 0."""
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", "--http", "127.0.0.1:0"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                address = re.search(r"http://127\.0\.0\.1:\d+", line)
                assert address, line
                with httpx.Client(base_url=address[0], timeout=WITHIN_S, trust_env=False) as client:
                    yield client, server.pid
                server.send_signal(signal.SIGTERM)
                assert server.wait(WITHIN_S) == 0
            finally:
                server.kill()

    def embedded(self) -> Planhub:
        """The same in this process."""
        return Planhub.open(load(self.folder / "planhub.toml"), database=self.database)

    def refuses(self, *arguments: str) -> str:
        """The one line by which a command refuses to go on."""
        ran = self.run(*arguments)
        assert (ran.returncode, ran.stdout) == (1, ""), ran
        assert ran.stderr.count("\n") == 1
        assert ran.stderr.startswith("planhub: ")
        return ran.stderr


def _obey_permissions() -> None:
    """Even root, should the tests be run by it, may then write only what is writable."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def used(home: Home) -> Home:
    """A database in which a run has ended."""
    with home.embedded() as hub:
        hub.plan("Name three risks")
    return home


# --- killed -----------------------------------------------------------------------------------


def test_killed_under_load(tmp_path: Path) -> None:
    """Every named run is answered, no finished call is bought twice, the books are right, and what
    the kills cut off is listed.
    """
    figures = kill_again_and_again(tmp_path, kills=3, in_flight=12, delay_ms=60, seed=3)
    assert figures.wrong == []
    assert figures.kills == 3
    assert figures.answered >= 12
    assert figures.carried_on > 0
    assert 0 < figures.replays <= figures.answered
    doubts = uncertain(tmp_path / "planhub.db")
    assert len([doubt for doubt in doubts if doubt.run]) > 0


# --- the disk ---------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="files of others have no limit here")
def test_a_full_disk(home: Home) -> None:
    """Nobody is served on books that cannot be written, nor left without an answer; once there is
    room again everybody is, and the books are right.
    """
    with home.serving() as (client, process):
        assert client.post("/v1/plan", json=request()).status_code == 200
        unlimited = resource.prlimit(process, resource.RLIMIT_FSIZE, (NO_ROOM, -1))
        refused = client.post("/v1/plan", json=request(orchestration={"mode": "vote"}))
        assert refused.status_code == 500
        assert refused.json()["code"] == "internal"
        assert until(lambda: client.get("/readyz").status_code == 503)
        resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
        assert until(lambda: client.post("/v1/plan", json=request()).status_code == 200, WITHIN_S)
        assert client.get("/readyz").status_code == 200
    assert audit(home.database).violations == ()


def test_books_that_can_only_be_read(used: Home) -> None:
    """Are not gone on with, and are as they were."""
    before = used.database.read_bytes()
    for file in used.database.parent.iterdir():
        file.chmod(0o400)
    used.database.parent.chmod(0o500)
    try:
        for command in (["serve", "--http", "127.0.0.1:0"], ["plan", "hi"]):
            assert "name a file, in a folder, that you may read and write" in used.refuses(*command)
    finally:
        used.database.parent.chmod(0o700)
    assert used.database.read_bytes() == before


def test_half_a_database(used: Home) -> None:
    """Is refused by whoever would write to it, and the audit says why."""
    with closing(sqlite3.connect(used.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    whole = used.database.read_bytes()
    backup(used.database, used.folder / "copy.db")
    used.database.write_bytes(whole[: len(whole) // 2])
    for command in (["serve", "--http", "127.0.0.1:0"], ["check", "--audit"]):
        said = used.refuses(*command)
        assert "is damaged" in said
        assert "restore a backup" in said
    used.database.unlink()
    (used.folder / "copy.db").rename(used.database)
    with used.embedded() as hub:
        assert hub.plan("hi").status == "complete"
    assert audit(used.database).violations == ()


def test_a_page_of_nothing(used: Home) -> None:
    """A file that can be opened and is not whole is refused too; the audit lists what it is."""
    with closing(sqlite3.connect(used.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    whole = used.database.read_bytes()
    page = int.from_bytes(whole[16:18])
    used.database.write_bytes(whole[: 5 * page] + bytes(page) + whole[6 * page :])
    assert "`planhub check --audit` says more" in used.refuses("serve", "--http", "127.0.0.1:0")
    found = used.run("check", "--audit", "--json")
    assert found.returncode == 1
    assert {violation["rule"] for violation in json.loads(found.stdout)["violations"]} == {"file"}


# --- the vendor -------------------------------------------------------------------------------

VENDOR = """
[server]
database = "books/planhub.db"
[[providers]]
id = "local"
dialect = "openai"
base_url = "{url}"
[[models]]
id = "stoppable"
provider = "local"
weight = 5
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
"""


@contextmanager
def vendor() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A vendor that is a process: its address, and itself."""
    command = [sys.executable, "-m", "bench.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process
        finally:
            process.kill()


def test_a_vendor_that_is_stopped_in_its_tracks(home: Home) -> None:
    """Its connections stand and nothing comes: the deadline ends the run, and what may have been
    billed is charged by estimate.  When it goes on, so does planhub.
    """
    with vendor() as (url, process):
        (home.folder / "planhub.toml").write_text(VENDOR.format(url=url))
        with home.serving() as (client, _):
            assert client.post("/v1/plan", json=request()).status_code == 200
            process.send_signal(signal.SIGSTOP)
            late = client.post("/v1/plan", json=request(policy={"max_latency_ms": 400}))
            assert (late.status_code, late.json()["code"]) == (504, "deadline")
            assert late.elapsed.total_seconds() < 2
            (call,) = late.json()["calls"]
            assert call["estimated"]
            assert call["cost_usd"] > 0
            process.send_signal(signal.SIGCONT)
            assert until(lambda: client.post("/v1/plan", json=request()).status_code == 200)
    assert audit(home.database).violations == ()


# --- others -----------------------------------------------------------------------------------


def test_a_database_that_somebody_holds_for_a_moment(home: Home) -> None:
    """Whoever asks meanwhile waits, and is answered."""
    with home.serving() as (client, _), ThreadPoolExecutor(1) as clients:
        assert client.post("/v1/plan", json=request()).status_code == 200
        with closing(sqlite3.connect(home.database)) as other:
            other.execute("BEGIN EXCLUSIVE")
            asked: Future[httpx.Response] = clients.submit(client.post, "/v1/plan", json=request())
            assert not wait([asked], LOCKED_S).done
            other.rollback()
        assert asked.result(WITHIN_S).status_code == 200
    assert audit(home.database).violations == ()
