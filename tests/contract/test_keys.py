"""Keys at a running server, its books, and what a restart keeps of both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.keys import KeyBook
from runtime.storage.database import connect
from tests.end_to_end.rig import request
from tests.end_to_end.shell import Shell

QUICK = """
[server]
database = "planhub.db"
[[providers]]
id = "simulated"
dialect = "simulated"
simulated = {delay_ms = 0, seed = 7}
"""


class Keys:
    """Keys of all kinds, made beside the server."""

    def __init__(self, database: Path) -> None:
        self.book = KeyBook(lambda: connect(database))
        self.texts: dict[str, str] = {}

    def make(self, name: str, **kind: Any) -> None:
        _, self.texts[name] = self.book.create(name, **kind)

    def __getitem__(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.texts[name]}"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "planhub.toml").write_text(QUICK)
    return Shell(tmp_path)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys(tmp_path / "planhub.db")
    keys.make("usual")
    keys.make("other", scopes=("plan",))
    keys.make("chat", scopes=("chat",))
    keys.make("admin", scopes=("admin",))
    keys.make("poor", limit_nano=1_000)
    return keys


def plan(client: httpx.Client, key: dict[str, str], **parts: Any) -> httpx.Response:
    return client.post("/v1/plan", json=request("secret prompt", **parts), headers=key)


def told(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["code"], body["error"]


def test_what_a_key_may_do(shell: Shell, keys: Keys, tmp_path: Path) -> None:
    """Its scope, its own runs, its budget; its runs are still its own after a restart."""
    with shell.serving() as server, server.client() as client:
        assert told(plan(client, {})) == (401, "unauthorized", "missing or invalid api key")
        for name in ("chat", "admin"):
            assert told(plan(client, keys[name])) == (403, "forbidden", "scope not allowed")
        poor = plan(client, keys["poor"])
        assert poor.json()["code"] == "budget_exceeded"
        assert poor.json()["cost"]["limit_usd"] == 1e-6
        answered = plan(client, keys["usual"])
        assert answered.status_code == 200
    with shell.serving() as server, server.client() as client:
        at = f"/v1/plan/{answered.json()['id']}"
        assert told(client.get(at, headers=keys["other"]))[:2] == (404, "unknown_run")
        assert told(client.delete(at, headers=keys["other"]))[:2] == (404, "unknown_run")
        for name in ("usual", "admin"):
            page = client.get(at, headers=keys[name]).json()
            assert page == {"id": page["id"], "status": "complete", "result": answered.json()}
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("planhub.db*"))
    assert not [text for text in keys.texts.values() if text.encode() in kept]
    modes = {path.stat().st_mode & 0o777 for path in tmp_path.glob("planhub.db*")}
    assert modes == {0o600}


def test_the_ledger_as_json(shell: Shell, keys: Keys) -> None:
    """Beside a running server, word for word; a limit that nobody has touched is there as well."""
    with shell.serving() as server, server.client() as client:
        spent = plan(client, keys["usual"], orchestration={"mode": "refine"}).json()
        listed = json.loads(shell.run("ledger", "--json").stdout)
    assert set(listed) == {"rows", "limits", "uncertain", "held_usd"}
    assert listed["uncertain"] == []
    ids = {key.name: key.id for key in keys.book.all()}
    (row,) = listed["rows"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row.pop("day"))
    assert row == {
        "key": ids["usual"],
        "model": spent["negotiated_model"],
        "mode": "refine",
        "calls": 3,
        "spent_usd": spent["estimated_cost_usd"],
    }
    limits = {limit["owner"]: limit for limit in listed["limits"]}
    assert set(limits) == {"installation", f"key:{ids['usual']}", f"key:{ids['poor']}"}
    fields = {"owner", "window", "limit_usd", "spent_usd", "held_usd"}
    assert all(set(limit) == fields for limit in limits.values())
    assert limits[f"key:{ids['poor']}"]["limit_usd"] == 1e-6
    assert limits["installation"]["spent_usd"] == row["spent_usd"]
