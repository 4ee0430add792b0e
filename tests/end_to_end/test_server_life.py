"""A server that is told to stop, or killed, while vendors work for it; and the one after it."""

from __future__ import annotations

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from runtime.testing import Reply
from tests.end_to_end.rig import GPT, PATIENCE_S, PROMPT, Vendors, nano, request, until
from tests.end_to_end.shell import WITHIN_S, Shell

HANG = Reply(fault="hang")


def books(shell: Shell) -> Any:
    ran = shell.run("ledger", "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def spent(ledger: Any) -> int:
    """What the books have under the installation, which is what their rows come to."""
    (limit,) = (row for row in ledger["limits"] if row["owner"] == "installation")
    assert ledger["held_usd"] == limit["held_usd"] == 0
    assert sum(nano(row["spent_usd"]) for row in ledger["rows"]) == nano(limit["spent_usd"])
    return nano(limit["spent_usd"])


def reserved(home: Path) -> int:
    """How many attempts the books have under way."""
    (database,) = home.rglob("planhub.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT count(*) FROM attempts WHERE status = 'reserved'")
        return int(rows.fetchone()[0])


def test_a_drained_server_answers_what_it_has_begun(shell: Shell, vendors: Vendors) -> None:
    """Then it ends with 0, its books closed."""
    vendors.openai.hold()
    with ThreadPoolExecutor(1) as clients, shell.serving() as server:
        body = request(orchestration={"primary_model_id": GPT})
        waiting = clients.submit(server.post, body)
        assert vendors.openai.wait_for(calls=1, timeout=PATIENCE_S)
        server.process.send_signal(signal.SIGTERM)
        with server.client() as client:
            assert until(lambda: client.get("/readyz").status_code == 503)
            refused = client.post("/v1/plan", json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert refused.headers["retry-after"]
        vendors.openai.release()
        answer = waiting.result(PATIENCE_S)
        assert server.process.wait(WITHIN_S) == 0
    assert answer.status_code == 200
    assert spent(books(shell)) == nano(answer.json()["cost"]["spent_usd"])


def test_a_killed_server_leaves_books_that_balance(
    shell: Shell, vendors: Vendors, tmp_path: Path
) -> None:
    """What it had on the wire is charged in full, as uncertain, until somebody knows better; and
    so is what was leased for calls of which nothing is written.
    """
    with shell.serving() as server:
        paid = server.post(request()).json()
        vendors.answer(HANG)
        body = request(orchestration={"mode": "vote"})
        place = server.post(body, prefer="respond-async").headers["location"]
        assert until(lambda: reserved(tmp_path) == 3)
        server.process.kill()
        server.process.wait(WITHIN_S)

    with shell.serving() as server, server.client() as client:
        assert client.get(place).json()["status"] == "failed"
        assert client.get(f"/v1/plan/{paid['id']}").json()["result"] == paid
    ledger = books(shell)
    doubts = ledger["uncertain"]
    attempts = [doubt for doubt in doubts if not doubt["attempt"].startswith("lease:")]
    assert [f"/v1/plan/{attempt['run']}" for attempt in attempts] == [place] * 3
    charged = sum(nano(doubt["charged_usd"]) for doubt in doubts)
    assert charged > 0
    assert spent(ledger) == nano(paid["cost"]["spent_usd"]) + charged

    first, *others = doubts
    assert shell.run("ledger", "settle", first["attempt"], "0").returncode == 0
    corrected = books(shell)
    assert corrected["uncertain"] == others
    assert spent(corrected) == spent(ledger) - nano(first["charged_usd"])


def test_an_interrupted_command_closes_its_connections(shell: Shell, vendors: Vendors) -> None:
    """At once, with 130; nothing is held and nothing is in doubt."""
    vendors.answer(HANG)
    with shell.begin("plan", PROMPT, "--mode", "vote") as process:
        assert until(lambda: len(vendors.calls) == 3)
        process.send_signal(signal.SIGINT)
        for vendor in vendors:
            assert vendor.wait_for(connections=0, timeout=1.0)
        assert process.wait(WITHIN_S) == 130
    ledger = books(shell)
    assert ledger["uncertain"] == []
    assert spent(ledger) > 0
