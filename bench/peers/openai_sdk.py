"""A vote with the openai SDK: gather the voters, then ask the judge.

python -m bench.peers.openai_sdk URL httpx|aiohttp
"""

from __future__ import annotations

import asyncio
import sys

from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, VOTERS, to_judge


def main() -> None:
    url, loop = be_measured(), asyncio.new_event_loop()
    transport = DefaultAioHttpClient if sys.argv[2] == "aiohttp" else DefaultAsyncHttpxClient
    client = AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, http_client=transport())

    async def text(model: str, messages: list[dict[str, str]]) -> str:
        answer = await client.chat.completions.create(
            model=model, messages=messages, max_tokens=MAX_TOKENS
        )
        return answer.choices[0].message.content or ""

    async def vote() -> None:
        texts = await asyncio.gather(*(text(model, ASKED) for model in VOTERS))
        await text(JUDGE, to_judge(texts))

    serve(in_turn(vote, loop))


if __name__ == "__main__":
    main()
