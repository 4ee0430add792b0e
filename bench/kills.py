"""A server killed again and again under load: is every client answered, is anything bought twice?

    python -m bench.kills [--kills 20] [--in-flight 40] [--delay-ms 150] [--seed N]

So many clients ask for votes (three voters and a judge), each under an `Idempotency-Key`; each asks
again under the same key until it is answered.  Meanwhile the server is killed with SIGKILL at
random moments and started anew on the same database.  In the end every key must have been answered
by one run, every run must have bought each of its four calls once, its journal must lead to its
answer, and the books must pass the audit; calls that a kill cut off are listed as uncertain.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct, field

from runtime.cli.replay import differences, replay
from runtime.storage import journal, reports
from runtime.storage.audit import audit

WITHIN_S = 60.0
PAUSE_S = 0.05
CONFIG = """
[server]
database = "planhub.db"
[[providers]]
id = "simulated"
dialect = "simulated"
max_concurrency = 1000
simulated = {{delay_ms = {delay_ms}, seed = {seed}}}
"""
SERVE = "import sys; from runtime.cli import main; sys.exit(main())"
NEEDED = Counter({"voter": 3, "judge": 1})


class Figures(Struct):
    """What there was to see.  Of the lists each should be empty in the end."""

    kills: int = 0
    answered: int = 0
    replays: int = 0
    carried_on: int = 0
    uncertain: int = 0
    uncertain_usd: float = 0.0
    refusals: Counter[str] = field(default_factory=Counter)
    unanswered: list[str] = []
    shared_runs: list[str] = []
    nobodys: list[str] = []
    bought_twice: list[str] = []
    led_elsewhere: list[str] = []
    wrong_sums: list[str] = []
    violations: list[str] = []

    @property
    def wrong(self) -> list[str]:
        return [
            *(f"never answered: {key}" for key in self.unanswered),
            *(f"the answer to several keys: {run}" for run in self.shared_runs),
            *(f"a run that nobody was answered by: {run}" for run in self.nobodys),
            *(f"did not buy four calls: {run}" for run in self.bought_twice),
            *(f"its journal leads elsewhere: {run}" for run in self.led_elsewhere),
            *(f"the cost told is not the cost in the books: {run}" for run in self.wrong_sums),
            *self.violations,
        ]


class Place:
    """A folder with a configuration and a database, and a port that stays the same."""

    def __init__(self, folder: Path, delay_ms: float, seed: int) -> None:
        (folder / "planhub.toml").write_text(CONFIG.format(delay_ms=delay_ms, seed=seed))
        self.folder = folder
        self.database = folder / "planhub.db"
        self.log = folder / "server.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """A server that listens; whoever enters this ends it, else it is killed."""
        command = [sys.executable, "-c", SERVE, "serve", "--http", f"127.0.0.1:{self.port}"]
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=log, text=True
            ) as server,
        ):
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                assert "listens" in line, f"{line}{self.log.read_text()}"
                yield server
            finally:
                server.kill()


class Clients:
    """Each asks for one vote after another until told to stop; for each until it is answered."""

    def __init__(self, url: str, in_flight: int) -> None:
        self.answers: dict[str, list[httpx.Response]] = {}
        self.refusals: Counter[str] = Counter()
        self._url = url
        self._numbers = count(1)
        self._stopping = threading.Event()
        self._gave_up = threading.Event()
        self._pool = ThreadPoolExecutor(in_flight)
        self._ended = [self._pool.submit(self._ask_on) for _ in range(in_flight)]

    def stop(self, within_s: float) -> None:
        """Waits until whoever has asked is answered, or until the time is up."""
        self._stopping.set()
        timer = threading.Timer(within_s, self._gave_up.set)
        timer.start()
        self._pool.shutdown()
        timer.cancel()
        for ended in self._ended:
            ended.result()

    def _ask_on(self) -> None:
        with httpx.Client(base_url=self._url, timeout=WITHIN_S, trust_env=False) as client:
            while not self._stopping.is_set():
                key = f"question-{next(self._numbers)}"
                self.answers[key] = list(self._ask(client, key))

    def _ask(self, client: httpx.Client, key: str) -> Iterator[httpx.Response]:
        body = {
            "request": {"messages": [{"role": "user", "content": key}]},
            "orchestration": {"mode": "vote"},
        }
        while not self._gave_up.is_set():
            try:
                said = client.post("/v1/plan", json=body, headers={"idempotency-key": key})
            except httpx.TransportError as error:
                self.refusals[type(error).__name__] += 1
                self._gave_up.wait(PAUSE_S)
                continue
            if said.status_code == 200:
                yield said
                return
            self.refusals[f"{said.status_code} {said.json().get('code')}"] += 1
            self._gave_up.wait(PAUSE_S)


def kill_again_and_again(
    folder: Path, *, kills: int, in_flight: int, delay_ms: float, seed: int, told: bool = False
) -> Figures:
    """Kills so often, then lets all be answered; `told` prints a line each time."""
    draw = random.Random(seed)
    place, figures = Place(folder, delay_ms, seed), Figures()
    clients = Clients(f"http://127.0.0.1:{place.port}", in_flight)
    try:
        for number in range(1, kills + 1):
            with place.serving() as server:
                after_s = draw.uniform(0.1, 0.1 + 8 * delay_ms / 1000)
                time.sleep(after_s)
                server.send_signal(signal.SIGKILL)
                server.wait()
            figures.kills += 1
            left = _left(place.database)
            figures.carried_on += left
            if told:
                print(f"kill {number:>3} after {after_s:.2f} s: {left} runs under way")
        with place.serving() as server:
            clients.stop(WITHIN_S)
            server.send_signal(signal.SIGTERM)
            assert server.wait(WITHIN_S) == 0
    finally:
        clients.stop(0)
    figures.refusals = clients.refusals
    _look(figures, place.database, clients.answers)
    return figures


def _left(database: Path) -> int:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT count(*) FROM runs WHERE status = 'running'")
        return int(rows.fetchone()[0])


def _look(figures: Figures, database: Path, answers: dict[str, list[httpx.Response]]) -> None:
    """Sets what clients were told against what the database has."""
    for key, responses in answers.items():
        if not responses:
            figures.unanswered.append(key)
            continue
        figures.answered += 1
        figures.replays += "idempotency-replay" in responses[0].headers
        _look_at_run(figures, database, responses[0].json())
    by_run = Counter(responses[0].json()["id"] for responses in answers.values() if responses)
    figures.shared_runs = [run for run, keys in by_run.items() if keys > 1]
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT id FROM runs")
        figures.nobodys = [run for (run,) in rows if run not in by_run]
    uncertain = reports.uncertain(database)
    figures.uncertain = len(uncertain)
    figures.uncertain_usd = sum(row.charged_nano for row in uncertain) / 1e9
    figures.violations += [f"{v.rule}: {v.where}: {v.what}" for v in audit(database).violations]


def _look_at_run(figures: Figures, database: Path, body: dict[str, Any]) -> None:
    kept = journal.load(database, body["id"])
    if kept is None or kept.order is None or [*differences(kept, replay(kept.order, kept))]:
        figures.led_elsewhere.append(body["id"])
    run = reports.run(database, body["id"])
    attempts = () if run is None else run.attempts
    if Counter(attempt.role for attempt in attempts if attempt.status == "ok") != NEEDED:
        figures.bought_twice.append(body["id"])
    spent = sum(attempt.cost_nano for attempt in attempts)
    if round(body["cost"]["spent_usd"] * 1e9) != spent:
        figures.wrong_sums.append(body["id"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--in-flight", type=int, default=40)
    parser.add_argument("--delay-ms", type=float, default=150.0, help="of the simulated vendor")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_again_and_again(
            Path(folder),
            kills=given.kills,
            in_flight=given.in_flight,
            delay_ms=given.delay_ms,
            seed=given.seed,
            told=True,
        )
    print(
        f"{figures.kills} kills with {given.in_flight} runs in flight,"
        f" {time.monotonic() - began:.0f} s\n"
        f"{figures.answered} keys answered, {figures.replays} of them as replays;"
        f" {figures.carried_on} runs were carried on\n"
        f"{figures.uncertain} uncertain calls and leases, ${figures.uncertain_usd:.4f}\n"
        f"refused meanwhile: {dict(figures.refusals)}"
    )
    for wrong in figures.wrong:
        print(f"WRONG: {wrong}")
    if not figures.wrong:
        print("nothing was lost, nothing was bought twice, the books are right")
    sys.exit(bool(figures.wrong))


if __name__ == "__main__":
    main()
