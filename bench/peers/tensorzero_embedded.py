"""A vote with TensorZero's gateway inside the process, without its observability."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

from tensorzero import AsyncTensorZeroGateway

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, MODELS, VOTERS, to_judge

GATEWAY = "[gateway]\nobservability.enabled = false\n"
MODEL = """
[models.{name}]
routing = ["bench"]
[models.{name}.providers.bench]
type = "openai"
model_name = "{name}"
api_base = "{url}"
api_key_location = "env::BENCH_KEY"
"""


def as_input(messages: list[dict[str, str]]) -> dict[str, Any]:
    """TensorZero has the system's text apart from the conversation."""
    system, *rest = messages
    return {"system": system["content"], "messages": rest}


async def opened(url: str, folder: Path) -> AsyncTensorZeroGateway:
    config = folder / "tensorzero.toml"
    models = [MODEL.format(name=name, url=url) for name in MODELS]
    config.write_text("".join([GATEWAY, *models]))
    return await AsyncTensorZeroGateway.build_embedded(config_file=str(config))


def main() -> None:
    os.environ["BENCH_KEY"] = KEY
    url, loop = be_measured(), asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as folder:
        gateway = loop.run_until_complete(opened(url, Path(folder)))

    async def text(model: str, messages: list[dict[str, str]]) -> str:
        answer = await gateway.inference(
            model_name=model,
            input=as_input(messages),
            params={"chat_completion": {"max_tokens": MAX_TOKENS}},
        )
        said: str = answer.content[0].text
        return said

    async def vote() -> None:
        texts = await asyncio.gather(*(text(model, ASKED) for model in VOTERS))
        await text(JUDGE, to_judge(texts))

    serve(in_turn(vote, loop))


if __name__ == "__main__":
    main()
