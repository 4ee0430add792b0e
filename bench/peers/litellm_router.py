"""A vote with LiteLLM's Router: gather the voters, then ask the judge."""

from __future__ import annotations

import asyncio

from litellm import Router

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, MODELS, VOTERS, to_judge


def main() -> None:
    url, loop = be_measured(), asyncio.new_event_loop()
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": url, "api_key": KEY},
        }
        for name in MODELS
    ]
    router = Router(model_list=models, num_retries=0)

    async def text(model: str, messages: list[dict[str, str]]) -> str:
        answer = await router.acompletion(model=model, messages=messages, max_tokens=MAX_TOKENS)
        return answer.choices[0].message.content or ""

    async def vote() -> None:
        texts = await asyncio.gather(*(text(model, ASKED) for model in VOTERS))
        await text(JUDGE, to_judge(texts))

    serve(in_turn(vote, loop))


if __name__ == "__main__":
    main()
