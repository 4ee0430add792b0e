"""A vote as a langgraph: three voters side by side lead to a judge, over langchain's ChatOpenAI."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph

from bench.subject import be_measured, in_turn, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, MODELS, VOTERS, to_judge


class State(TypedDict):
    texts: Annotated[list[str], operator.add]
    verdict: str


def graph(url: str) -> Any:
    models = {
        name: ChatOpenAI(
            model=name, base_url=url, api_key=KEY, max_tokens=MAX_TOKENS, max_retries=0
        )
        for name in MODELS
    }

    def voter(name: str) -> Callable[[State], Awaitable[dict[str, Any]]]:
        async def answer(_: State) -> dict[str, Any]:
            return {"texts": [(await models[name].ainvoke(ASKED)).content]}

        return answer

    async def judge(state: State) -> dict[str, Any]:
        return {"verdict": (await models[JUDGE].ainvoke(to_judge(state["texts"]))).content}

    made = StateGraph(State)
    made.add_node(JUDGE, judge)
    made.add_edge(JUDGE, END)
    for name in VOTERS:
        made.add_node(name, voter(name))
        made.add_edge(START, name)
    made.add_edge(list(VOTERS), JUDGE)
    return made.compile()


def main() -> None:
    url, loop = be_measured(), asyncio.new_event_loop()
    voting = graph(url)

    async def vote() -> None:
        ended = await voting.ainvoke({"texts": [], "verdict": ""})
        if not ended["verdict"]:
            raise RuntimeError("no verdict")

    serve(in_turn(vote, loop))


if __name__ == "__main__":
    main()
