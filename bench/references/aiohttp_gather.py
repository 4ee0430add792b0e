"""What one writes by hand with aiohttp: gather the voters, then ask the judge."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from bench.subject import be_measured, by_tasks, serve
from bench.workload import ASKED, JUDGE, KEY, VOTERS, body, to_judge


async def text(session: aiohttp.ClientSession, url: str, what: dict[str, Any]) -> str:
    async with session.post(url, json=what) as response:
        answer: str = (await response.json())["choices"][0]["message"]["content"]
        return answer


async def opened() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(connector=connector, headers={"authorization": f"Bearer {KEY}"})


def main() -> None:
    url, loop = f"{be_measured()}/chat/completions", asyncio.new_event_loop()
    session = loop.run_until_complete(opened())

    async def vote() -> None:
        texts = await asyncio.gather(*(text(session, url, body(name, ASKED)) for name in VOTERS))
        await text(session, url, body(JUDGE, to_judge(texts)))

    serve(by_tasks(vote, loop))


if __name__ == "__main__":
    main()
