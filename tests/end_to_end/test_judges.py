"""How judges do is kept: across restarts, beside a server, and in memory for as long as that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime import Planhub
from runtime.cli import main
from runtime.config import load
from runtime.testing import judging
from tests.end_to_end.rig import GPT, PROMPT, Vendors, configured, served

CONFIG = """
[server]
database = "books.db"
[defaults]
second_look = true
judges = 2
rubric = ["it is short"]
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 0, seed = 7}
"""


def test_records_survive_the_engine(vendors: Vendors, tmp_path: Path) -> None:
    """A judge that takes what it is shown first, closely: it flips whenever it looks again."""
    vendors.answer(judging(margin="narrow"))
    for _ in range(2):
        with Planhub.open(configured(vendors), database=tmp_path / "books.db") as hub:
            hub.plan(PROMPT, mode="vote", second_look=True)
            (record,) = hub.judges()
    assert (record.judge, record.verdicts, record.narrow) == (GPT, 2, 2)
    assert (record.flip_rate, record.unreadable_rate, record.tie_rate) == (1.0, 0.0, 0.0)


def test_without_a_database_they_are_known_while_the_engine_lives(vendors: Vendors) -> None:
    vendors.answer(judging("tie"))
    with Planhub.open(configured(vendors)) as hub:
        assert hub.judges() == ()
        hub.plan(PROMPT, mode="vote")
        (record,) = hub.judges()
    assert (record.judge, record.ties, record.second_looks) == (GPT, 1, 0)


def test_they_are_shown_over_http(vendors: Vendors, tmp_path: Path) -> None:
    books = tmp_path / "books.db"
    with served(configured(vendors), books) as server, server.client() as client:
        assert client.get("/admin/v1/judges").json() == {"judges": []}
        server.hub.plan(PROMPT, mode="vote")
        (entry,) = client.get("/admin/v1/judges").json()["judges"]
    assert (entry["judge"], entry["verdicts"], entry["flip_rate"]) == (GPT, 1, None)


def test_they_are_shown_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the configuration's defaults in force; before anybody has judged there is nothing."""
    monkeypatch.chdir(tmp_path)
    Path("planhub.toml").write_text(CONFIG)
    assert main(["judges"]) == 0
    assert capsys.readouterr().out == "no model has judged yet\n"
    with Planhub.open(load(), database="books.db") as hub:
        response: dict[str, Any] = hub.plan(PROMPT, mode="vote").response
    assert main(["judges", "--json"]) == 0
    told = msgspec.json.decode(capsys.readouterr().out)["judges"]
    assert [entry["judge"] for entry in told] == sorted(v["judge"] for v in response["verdicts"])
    assert len(told) == 2
    assert main(["judges"]) == 0
    table = capsys.readouterr().out
    assert all(entry["judge"] in table for entry in told)
