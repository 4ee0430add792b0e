"""Past runs: listed, shown, replayed, judged anew, pruned and copied."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from actors.domain import ballots
from actors.errors import PlanError
from runtime import Planhub, PlanResult
from runtime.cli import main
from runtime.cli.ends import CommandFailed
from runtime.cli.rejudge import ask
from runtime.config import load
from runtime.storage import journal
from runtime.storage.steps import row_of

CONFIG = """
[server]
database = "books.db"
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 1, seed = 7}
"""
PROMPT = "Name three risks of moving an office"


def ended(folder: Path) -> bytes:
    """A database in which a run of each mode has ended, and one in an error."""
    (folder / "planhub.toml").write_text(CONFIG)
    path = folder / "books.db"
    with Planhub.open(load(folder / "planhub.toml"), database=path) as hub:
        for mode in ("vote", "adversarial", "refine", "planning"):
            hub.plan(PROMPT, mode=mode)
        with pytest.raises(PlanError, match="schema"):
            hub.plan(PROMPT, output_schema='{"type": "integer", "minimum": 7, "maximum": 6}')
    whole = folder / "whole.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(whole),))
    return whole.read_bytes()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return ended(tmp_path_factory.mktemp("template"))


@pytest.fixture
def database(template: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planhub.toml").write_text(CONFIG)
    path = tmp_path / "books.db"
    path.write_bytes(template)
    return path


class Ran:
    """A command that was run: its status, and what it wrote."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.status = main(arguments)
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql, values).rowcount > 0


def ids(path: Path, where: str = "1") -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [id for (id,) in connection.execute(f"SELECT id FROM runs WHERE {where}")]


def the_vote(path: Path) -> str:
    (run,) = ids(path, "mode = 'vote'")
    return run


# --- runs and show ----------------------------------------------------------------------------


def test_runs_are_listed_newest_first(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = Ran(capsys, "runs", "--json").json["runs"]
    assert [run["mode"] for run in runs] == [
        "planning", "planning", "refine", "adversarial", "vote",
    ]  # fmt: skip
    assert [run["status"] for run in runs] == ["failed", *["complete"] * 4]
    assert runs[4]["calls"] == 4
    assert all(run["cost_usd"] > 0 for run in runs)
    assert len(Ran(capsys, "runs", "--limit", "2", "--json").json["runs"]) == 2
    assert "adversarial" in Ran(capsys, "runs").out
    assert Ran(capsys, "runs", "--limit", "0").status == 2


def test_a_run_is_shown_with_its_calls(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked, a bar for each call, candidates, verdict and cost."""
    shown = Ran(capsys, "show", the_vote(database)[:16])
    assert shown.status == 0
    for words in (PROMPT, "judge", "█", "Candidates", "Verdict", "sim-", "Cost  $", "complete"):
        assert words in shown.out


def test_a_run_is_shown_as_json(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Ran(capsys, "show", the_vote(database), "--json").json
    assert shown["request"]["messages"] == [{"role": "user", "content": PROMPT}]
    assert [call["role"] for call in shown["calls"]].count("voter") == 3
    assert all(call["ended_ms"] >= call["waited_from_ms"] >= 0 for call in shown["calls"])
    assert shown["body"]["id"] == shown["id"]
    assert round(sum(call["cost_usd"] for call in shown["calls"]), 9) == shown["cost_usd"]


def test_a_run_under_way_is_shown_as_far_as_it_is(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls without an end last until now; answers come from the journal."""
    run = the_vote(database)
    change(database, "UPDATE runs SET status = 'running', ended_at = NULL, body = NULL")
    change(
        database,
        "UPDATE attempts SET status = 'reserved', settled_at = NULL WHERE role = 'judge'",
    )
    shown = Ran(capsys, "show", run).out
    assert "under way" in shown
    assert "So far" in shown
    assert "sim-scholar" in shown


def test_an_error_is_shown_with_what_was_paid(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (failed,) = ids(database, "status = 'failed'")
    shown = Ran(capsys, "show", failed).out
    assert "Error" in shown
    assert "schema" in shown
    assert "Paid text" in shown


@pytest.mark.parametrize(
    ("id", "status", "words"),
    [
        ("nothing", 2, "nothing is no run: `planhub runs` lists them"),
        ("abc", 2, "too short: give 6 digits or more"),
        ("000000", 1, "there is no run 000000"),
    ],
)
def test_what_is_no_run(
    database: Path, capsys: pytest.CaptureFixture[str], id: str, status: int, words: str
) -> None:
    ran = Ran(capsys, "show", id)
    assert (ran.status, ran.out, ran.err.count("\n")) == (status, "", 1)
    assert words in ran.err


def test_an_abbreviation_must_name_one_run(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(database, "UPDATE runs SET id = 'abcdef' || substr(id, 7)")
    ran = Ran(capsys, "show", "abcdef")
    assert ran.status == 1
    assert "several runs begin with abcdef" in ran.err


# --- replay -----------------------------------------------------------------------------------


def test_every_run_replays_to_its_end(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mode, and an error too; without one more attempt in the books."""
    before = database.read_bytes()
    for run in ids(database):
        ran = Ran(capsys, "replay", run)
        assert ran.status == 0, ran.out + ran.err
        assert "lead to the same end" in ran.out
    told = Ran(capsys, "replay", the_vote(database), "--json").json
    assert (told["same"], told["differences"], told["status"]) == (True, [], "complete")
    assert database.read_bytes() == before


EDITED = "UPDATE runs SET body = CAST(replace(CAST(body AS TEXT), '{}', '{}') AS BLOB)"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE runs SET status = 'degraded'", 'status: recorded "degraded"'),
        (
            EDITED.format('"selected":0', '"selected":1'),
            "response.selected: recorded 1, replayed 0",
        ),
        (EDITED.format("vote-orch", "x-orch"), 'routing_reason: recorded "x-orchestration"'),
    ],
)
def test_what_leads_elsewhere_is_told(
    database: Path, capsys: pytest.CaptureFixture[str], sql: str, words: str
) -> None:
    change(database, sql)
    ran = Ran(capsys, "replay", the_vote(database))
    assert ran.status == 1
    assert words in ran.out


def test_a_journal_that_ends_before_its_run_is_told(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = the_vote(database)
    known = journal.load(database, run)
    assert known is not None
    number, *_, body, checksum = row_of(run, known.steps[:4])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM steps WHERE run = ? AND number > 1", (run,))
        connection.execute(
            "UPDATE steps SET length = 4, body = ?, checksum = ? WHERE run = ? AND number = ?",
            (body, checksum, run, number),
        )
    ran = Ran(capsys, "replay", run)
    assert ran.status == 1
    assert "the journal ends while" in ran.out


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE runs SET \"order\" = NULL, order_hash = x'00'", "its content was not kept"),
        ("UPDATE runs SET status = 'running'", "is under way"),
        ("DELETE FROM steps", "ended before its first call"),
        ("UPDATE steps SET key = key + 1", "does not fit"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    database: Path, capsys: pytest.CaptureFixture[str], sql: str, words: str
) -> None:
    change(database, sql)
    ran = Ran(capsys, "replay", the_vote(database))
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert words in ran.err


def test_another_version_is_not_replayed(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.cli.replay.VERSIONS", {"vote": "99"})
    ran = Ran(capsys, "replay", the_vote(database))
    assert ran.status == 1
    assert "version_changed" in ran.err


def test_candidates_are_judged_anew(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the model that is named, for the price of its call alone."""
    judged = Ran(capsys, "replay", the_vote(database), "--judge", "sim-scholar", "--json").json
    assert judged["judge"] == "sim-scholar"
    assert judged["choice"] in (0, 1, 2)
    assert len(judged["candidates"]) == 3
    assert judged["reason"]
    assert judged["cost_usd"] > 0
    (again,) = judged["runs"]
    spent = Ran(capsys, "show", again, "--json").json
    assert [call["model"] for call in spent["calls"]] == ["sim-scholar"]
    ran = Ran(capsys, "replay", the_vote(database), "--judge", "sim-scholar")
    assert "sim-scholar chose" in ran.out
    assert "not bought again" in ran.out


def test_only_a_vote_has_candidates(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = ids(database, "mode = 'refine'")
    assert "no candidates" in Ran(capsys, "replay", run, "--judge", "sim-sage").err
    ran = Ran(capsys, "replay", the_vote(database), "--judge", "gpt-99")
    assert ran.status == 2
    assert "unknown model" in ran.err


class Hub:
    """Answers the judge's messages with these texts, one after the other."""

    def __init__(self, *texts: str, model: str = "judge") -> None:
        self.texts = list(texts)
        self.model = model
        self.asked: list[list[dict[str, str]]] = []

    def plan(self, messages: list[dict[str, str]], **_: object) -> PlanResult:
        self.asked.append(messages)
        call = {"role": "answer", "model": "judge", "provider": "p", "status": "failed",
                "attempt": 1, "started_ms": 0, "latency_ms": 0, "cost_usd": 0, "error": "timeout",
                "input_tokens": 0, "output_tokens": 0}  # fmt: skip
        message = {"message": {"content": self.texts.pop(0)}}
        body = {"id": f"run{len(self.asked)}", "negotiated_model": self.model,
                "estimated_cost_usd": 0.5, "routing_reason": "explicit-model", "calls": [call],
                "response": {"choices": [message]}, "cost": {"spent_usd": 0.5}}  # fmt: skip
        return PlanResult.from_json(json.dumps(body).encode())


PAPER = ballots.ballot(b'[{"role":"user","content":"which?"}]', ("one", "two"), 7)


def verdict(choice: str) -> str:
    findings = [{"label": label, "finding": "sound"} for label in PAPER.labels]
    return json.dumps({"findings": findings, "comparison": "close", "choice": choice})


def test_a_verdict_that_cannot_be_read_is_repaired_once() -> None:
    """By the judge that gave it; both of its calls are told and counted."""
    hub = Hub("the second, I think", verdict(PAPER.labels[1]))
    judged = ask(cast(Planhub, hub), "judge", PAPER)
    assert (judged.choice, judged.reason) == (1, "close")
    assert (judged.cost_usd, judged.runs) == (1.0, ("run1", "run2"))
    assert hub.asked[1][-2]["content"] == "the second, I think"
    again = ask(cast(Planhub, Hub("one", "two")), "judge", PAPER)
    assert again.choice is None
    assert "cannot be read" in again.reason
    assert ask(cast(Planhub, Hub(verdict("tie"))), "judge", PAPER).choice == "tie"


def test_another_model_is_no_stand_in_for_the_judge() -> None:
    with pytest.raises(CommandFailed, match="judge did not answer: timeout"):
        ask(cast(Planhub, Hub(verdict("none"), model="other")), "judge", PAPER)


# --- prune, backup, audit ---------------------------------------------------------------------


def test_old_runs_go_and_their_money_stays(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither young runs nor those under way; the books are right before and after."""
    ledger = Ran(capsys, "ledger", "--json").json
    long_ago = time.time() - 40 * 86_400
    change(database, "UPDATE runs SET ended_at = ?, started_at = ?", long_ago, long_ago)
    change(
        database,
        "UPDATE runs SET status = 'running', wanted = 1, ended_at = NULL WHERE mode = 'refine'",
    )
    change(database, "UPDATE runs SET ended_at = ? WHERE mode = 'vote'", time.time())
    said = Ran(capsys, "prune", "--dry-run", "--json").json
    assert len(ids(database)) == 5
    pruned = Ran(capsys, "prune", "--vacuum", "--json").json
    assert pruned == said | {"dry_run": False}
    assert pruned["runs"] == 3
    assert pruned["steps"] > 6
    assert sorted(ids(database)) == sorted(ids(database, "mode IN ('vote', 'refine')"))
    assert Ran(capsys, "ledger", "--json").json == ledger
    assert Ran(capsys, "check", "--audit").status == 0
    assert "removed 0 runs older than 30 days" in Ran(capsys, "prune").out
    assert "removed 1 runs older than 0 days" in Ran(capsys, "prune", "--keep-days", "0").out


def test_a_backup_is_a_whole_database(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made while an engine writes; private; and never over another file."""
    with Planhub.open(load(tmp_path / "planhub.toml"), database=database) as hub:
        hub.plan(PROMPT, mode="planning")
        assert Ran(capsys, "backup", "copy.db").status == 0
    copy = tmp_path / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(ids(copy)) == 6
    again = Ran(capsys, "backup", "copy.db")
    assert (again.status, again.err.count("\n")) == (1, 1)
    assert "copy.db exists" in again.err
    nowhere = Ran(capsys, "backup", "nowhere/copy.db")
    assert "cannot be written: no such file or directory" in nowhere.err


def test_the_audit_says_what_is_wrong_and_what_to_do(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Ran(capsys, "check", "--audit")
    assert right.status == 0
    assert "the books are right" in right.out
    assert Ran(capsys, "check", "--audit", "--json").json["violations"] == []
    change(database, "UPDATE accounts SET spent_nano = 7")
    wrong = Ran(capsys, "check", "--audit")
    assert wrong.status == 1
    assert "7 nano-USD are spent" in wrong.out
    assert "to do" in wrong.out
    found = Ran(capsys, "check", "--audit", "--json")
    assert found.status == 1
    assert found.json["violations"][0]["rule"] == "accounts"
