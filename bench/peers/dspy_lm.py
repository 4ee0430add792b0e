"""A vote with DSPy's language models, without its cache: gather the voters, then ask the judge."""

from __future__ import annotations

import asyncio

import dspy

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, MODELS, VOTERS, to_judge


def main() -> None:
    url, loop = be_measured(), asyncio.new_event_loop()
    models = {
        name: dspy.LM(
            f"openai/{name}",
            api_base=url,
            api_key=KEY,
            max_tokens=MAX_TOKENS,
            cache=False,
            num_retries=0,
        )
        for name in MODELS
    }

    async def text(model: str, messages: list[dict[str, str]]) -> str:
        answer: str = (await models[model].acall(messages=messages))[0]
        return answer

    async def vote() -> None:
        texts = await asyncio.gather(*(text(model, ASKED) for model in VOTERS))
        await text(JUDGE, to_judge(texts))

    serve(in_turn(vote, loop))


if __name__ == "__main__":
    main()
