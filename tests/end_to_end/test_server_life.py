"""A server that is told to stop, or killed, while vendors work for it; and the one after it."""

from __future__ import annotations

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.testing import RecordedCall, Reply, echo, judging
from tests.end_to_end.rig import GPT, PATIENCE_S, PROMPT, Vendors, nano, request, until
from tests.end_to_end.shell import WITHIN_S, Shell

HANG = Reply(fault="hang")
MINE = {"idempotency-key": "mine"}


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


def reserved(home: Path) -> list[str]:
    """The run of each attempt that the books have under way."""
    (database,) = home.rglob("planhub.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT run FROM attempts WHERE status = 'reserved'")
        return [run for (run,) in rows]


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
    with ThreadPoolExecutor(1) as clients, shell.serving() as server:
        paid = server.post(request()).json()
        vendors.answer(HANG)
        waiting = clients.submit(server.post, request(orchestration={"mode": "vote"}))
        assert until(lambda: len(reserved(tmp_path)) == 3)
        (run,) = set(reserved(tmp_path))
        server.process.kill()
        server.process.wait(WITHIN_S)
        assert isinstance(waiting.exception(PATIENCE_S), httpx.TransportError)
    place = f"/v1/plan/{run}"

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


def judge_hangs(call: RecordedCall) -> Reply:
    """Voters answer; who is asked to judge does not."""
    vote = echo(call)
    return vote if judging(otherwise=lambda _: vote)(call) is vote else HANG


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_wanted_goes_on_in_the_next_server(
    shell: Shell, vendors: Vendors, tmp_path: Path, end: signal.Signals
) -> None:
    """Killed, or stopped before it was done: what the voters had answered is not asked again."""
    vendors.answer(judge_hangs)
    body = request(orchestration={"mode": "vote"})
    with ThreadPoolExecutor(1) as clients, shell.serving() as server:
        waiting = clients.submit(server.post, body, **MINE)
        assert until(lambda: len(vendors.calls) == 4 and len(reserved(tmp_path)) == 1)
        later = server.post(body, prefer="respond-async", **MINE)
        assert (later.status_code, later.headers["idempotency-replay"]) == (202, "true")
        server.process.send_signal(end)
        if end is signal.SIGTERM:
            with server.client() as client:
                assert until(lambda: client.get("/readyz").status_code == 503)
            server.process.send_signal(end)
            assert waiting.result(PATIENCE_S).json()["code"] == "draining"
        else:
            assert isinstance(waiting.exception(PATIENCE_S), httpx.TransportError)
        server.process.wait(WITHIN_S)

    vendors.answer(judging())
    with shell.serving() as server, server.client() as client:
        answer = server.post(body, **MINE)
        assert (answer.status_code, answer.headers["idempotency-replay"]) == (200, "true")
        seen = client.get(later.headers["location"]).json()
    assert (seen["status"], seen["result"]) == ("complete", answer.json())
    assert answer.json()["response"]["judge_decided"]
    assert len(vendors.calls) == 5
    ledger = books(shell)
    in_doubt = sum(
        nano(doubt["charged_usd"])
        for doubt in ledger["uncertain"]
        if doubt["attempt"].startswith("lease:")
    )
    assert spent(ledger) == nano(answer.json()["cost"]["spent_usd"]) + in_doubt


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
