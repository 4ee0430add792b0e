"""One answer by the model that plans best; the shape is OpenAI's, whatever the vendor."""

from __future__ import annotations

from typing import Any

from actors.domain.model import Usage
from actors.protocol import Order
from actors.strategies.answering import first_answer, remarks, response, shown
from actors.strategies.plan import Plan, Result

VERSION = "1"


def planning(order: Order) -> Plan[Result]:
    """Asks the best primary once."""
    answered = yield from first_answer(order, "answer", "planning", final=True)
    text = shown(order, answered.text)
    model = answered.model
    completion = response(
        order,
        text,
        id=f"chatcmpl-{order.run}",
        object="chat.completion",
        created=order.created,
        model=model.id,
        choices=[
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "length" if answered.truncated else "stop",
            }
        ],
        usage=_usage(answered.usage),
    )
    reason = "explicit-model" if answered.explicit else f"routed-weight-{model.weight}"
    return Result(model.id, reason, text, completion, remarks(answered))


def _usage(usage: Usage) -> dict[str, Any]:
    """OpenAI counts cached tokens in the prompt and reasoning in the completion, as parts."""
    prompt = usage.input + usage.cache_read + usage.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
    }
