"""One configuration for every front end: four priced models of one vendor."""

from __future__ import annotations

from typing import Any

from bench.workload import JUDGE, MODELS, PROMPT

CONNECTIONS = 6_000
PLACES = 10_000
VOTE: dict[str, Any] = {"mode": "vote", "review_model_id": JUDGE}


def settings(url: str) -> dict[str, Any]:
    """The tables of a `planhub.toml`."""
    vendor = {
        "id": "bench",
        "dialect": "openai",
        "base_url": url,
        "max_concurrency": CONNECTIONS,
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


def plan_body() -> dict[str, Any]:
    """What a client sends to have a vote, over HTTP or the socket."""
    messages = [{"role": "user", "content": PROMPT}]
    return {"request": {"messages": messages}, "orchestration": VOTE}
