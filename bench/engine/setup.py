"""One configuration for every front end: four priced models of one vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.workload import JUDGE, MODELS, PROMPT

CONNECTIONS = 6_000
PLACES = 10_000
MODES: dict[str, tuple[dict[str, Any], int]] = {
    "vote": ({"mode": "vote", "review_model_id": JUDGE}, 4),
    "adversarial": ({"mode": "adversarial", "iterations": 2}, 5),
}
"""How each is asked for, and how many calls it takes."""


def settings(url: str, places: int = CONNECTIONS) -> dict[str, Any]:
    """The tables of a `planhub.toml`; `places` is how many calls the vendor takes at once."""
    vendor = {
        "id": "bench",
        "dialect": "openai",
        "base_url": url,
        "max_concurrency": places,
        "max_waiting": 4 * PLACES,
    }
    models = [
        {
            "id": name,
            "provider": "bench",
            "weight": 9 - place,
            "context_tokens": 128_000,
            "input_usd_per_mtok": 1.0 + place,
            "output_usd_per_mtok": 3.0 + place,
        }
        for place, name in enumerate(MODELS)
    ]
    return {"providers": [vendor], "models": models}


def written(url: str, folder: Path, places: int = CONNECTIONS) -> Path:
    """The same as a file, with a database beside it."""
    path = folder / "planhub.toml"
    path.write_text("\n".join(_toml(settings(url, places), folder / "bench.db")))
    return path


def _toml(file: dict[str, Any], database: Path) -> Iterator[str]:
    yield f"[server]\ndatabase = {json.dumps(str(database))}"
    for name, tables in file.items():
        for table in tables:
            yield f"[[{name}]]"
            yield from (f"{key} = {json.dumps(value)}" for key, value in table.items())


def plan_body() -> dict[str, Any]:
    """What a client sends to have a vote, over HTTP or the socket."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"request": {"messages": messages}, "orchestration": MODES["vote"][0]}


def require_whole(status: str, calls: int, reasons: Sequence[str], wanted: int) -> None:
    """Raises RuntimeError for anything amiss: nothing may be, where the vendor always answers."""
    if status != "complete" or calls != wanted:
        raise RuntimeError(f"{status}: {', '.join(reasons)}; {calls} calls")
