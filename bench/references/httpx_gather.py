"""What one writes by hand with httpx and asyncio: gather the voters, then ask the judge.

httpx's own limit of 100 connections stays: its pool looks at each of them for every request, and
without the limit a vote at 32 concurrent costs nine times as much.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from bench.subject import be_measured, by_tasks, serve
from bench.workload import ASKED, JUDGE, KEY, VOTERS, body, to_judge

WITHIN_S = 120.0


async def text(client: httpx.AsyncClient, url: str, what: dict[str, Any]) -> str:
    response = await client.post(url, json=what)
    answer: str = response.json()["choices"][0]["message"]["content"]
    return answer


def main() -> None:
    url, loop = f"{be_measured()}/chat/completions", asyncio.new_event_loop()
    client = httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=WITHIN_S)

    async def vote() -> None:
        texts = await asyncio.gather(*(text(client, url, body(name, ASKED)) for name in VOTERS))
        await text(client, url, body(JUDGE, to_judge(texts)))

    serve(by_tasks(vote, loop))


if __name__ == "__main__":
    main()
