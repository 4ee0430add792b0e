"""What is measured: a vote-3.  Three requests of 2 KB in parallel, each answered with 1.5 KB, then
one that has a judge choose between the three answers.

No more than the standard library is imported: programs of other environments make it too.
"""

from __future__ import annotations

from typing import Any

PROMPT = "Design a REST API for a task management app. " * 40
MODELS = ("alpha", "beta", "gamma", "delta")
VOTERS, JUDGE = MODELS[:3], MODELS[3]
MAX_TOKENS = 4096
KEY = "sk-bench"

ASKED = [
    {"role": "system", "content": "You are one of several experts. Answer alone. " * 2},
    {"role": "user", "content": PROMPT},
]


def to_judge(texts: list[str]) -> list[dict[str, str]]:
    """The conversation in which a judge is asked; its verdict is not looked at."""
    candidates = "\n\n".join(texts)
    return [*ASKED, {"role": "user", "content": f"Which of these is best?\n\n{candidates}"}]


def body(model: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    """A request in OpenAI's format."""
    return {"model": model, "messages": messages, "max_tokens": MAX_TOKENS}
