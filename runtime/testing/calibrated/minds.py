"""A mind: one model of the world, with what it writes, criticises and judges like."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from actors.domain.model import Model, Price, Usage
from actors.protocol import Complete
from runtime.testing.calibrated.authors import Author, answer, improved
from runtime.testing.calibrated.critics import Critic, critique
from runtime.testing.calibrated.items import Form, asked_in, in_form, value_in
from runtime.testing.calibrated.judging import Bias, Judge
from runtime.testing.calibrated.reading import ballot_in

_NANO_USD = 1_000_000_000
_NAMES = ("heron", "osprey", "plover", "curlew", "dunlin", "avocet", "bittern", "godwit")
BEST, AUTHOR, SPARE = 9, 8, 4
_PRICE = Price(2 * _NANO_USD, 8 * _NANO_USD, _NANO_USD, 2 * _NANO_USD)


class Mind(Struct, frozen=True):
    """`dead` ones answer nothing; the others after `delay_s`."""

    model: Model
    author: Author = Author()
    critic: Critic = Critic()
    bias: Bias = Bias()
    delay_s: float = 1.0
    dead: bool = False

    def reply(self, seed: int, order: Complete) -> str:
        """What it says to a prompt, by what the prompt shows."""
        turns: list[dict[str, Any]] = msgspec.json.decode(order.messages)
        said = [turn["content"] for turn in turns]
        found = asked_in("\n".join(said))
        if found is None:
            return "I do not know what is asked."
        (number, form), name = found, self.model.id
        if (ballot := ballot_in(order.messages)) is not None:
            judge = Judge(self.bias, name, self.author.manner, seed, number, form)
            return judge.verdict(ballot, order.messages)
        earlier = next((t["content"] for t in turns[::-1] if t["role"] == "assistant"), None)
        if earlier is None:
            text = answer(self.author, seed, name, number, form, order.seed)
            return text if order.schema is None else in_form(text)
        if '"severity"' in said[-1]:
            return critique(self.critic, seed, name, number, earlier)
        return self._again(seed, number, form, earlier, said[-1])

    def _again(self, seed: int, number: int, form: Form, earlier: str, review: str) -> str:
        if form == "plan":
            return improved(self.author, seed, self.model.id, number, earlier, review)
        return answer(self.author, seed, self.model.id, number, form, value_in(earlier))


def minds(count: int, judges: int = 2, *, bias: Bias | None = None, **fields: Any) -> list[Mind]:
    """So many authors, all alike, and so many that will judge: each of a vendor and a family of
    its own.  `fields` are those of :class:`Author`.

    The best judge is heavier than the authors, and so set aside for judging; the others are
    lighter, and so no voters unless there are more seats than authors.
    """
    author = Author(**fields)
    weights = [BEST, *range(SPARE, SPARE - judges + 1, -1)]
    judging = zip(_NAMES[count : count + judges], weights, strict=False)
    return [
        *(Mind(model(name, AUTHOR), author) for name in _NAMES[:count]),
        *(Mind(model(name, weight), author, bias=bias or Bias()) for name, weight in judging),
    ]


def usage_of(order: Complete, text: str) -> Usage:
    """Some four bytes a token."""
    return Usage(input=len(order.messages) // 4 + 1, output=len(text) // 4 + 1)


def model(name: str, weight: int) -> Model:
    """A model of the vendor and family `name`."""
    return Model(
        f"{name}-{weight}",
        f"{name}-works",
        f"{name}-{weight}-upstream",
        weight,
        family=name,
        context_tokens=200_000,
        price=_PRICE,
    )
