"""A client written by hand on asyncio.Protocol, uvloop, httptools and msgspec."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from msgspec import json

from bench.client import Answer, Client
from bench.subject import be_measured, by_tasks, serve
from bench.workload import ASKED, JUDGE, KEY, VOTERS, body, to_judge


def text(answer: Answer) -> str:
    status, content = answer
    if status != 200:
        raise RuntimeError(f"status {status}")
    read: dict[str, Any] = json.decode(content)
    chosen: str = read["choices"][0]["message"]["content"]
    return chosen


def main() -> None:
    url, loop = be_measured(), uvloop.new_event_loop()
    client = Client(url, "/v1/chat/completions", loop, KEY)

    async def vote() -> None:
        sent = [await client.post(json.encode(body(model, ASKED))) for model in VOTERS]
        texts = [text(answer) for answer in await asyncio.gather(*sent)]
        text(await (await client.post(json.encode(body(JUDGE, to_judge(texts))))))

    serve(by_tasks(vote, loop))


if __name__ == "__main__":
    main()
