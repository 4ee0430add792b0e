"""What of a model is kept once for all."""

from __future__ import annotations

import msgspec

from actors.domain.model import Model, Price, shared

MODEL = Model("m", "v", "m-1", price=Price(1, 2, 3, 4))


def told(model: Model) -> Model:
    """As somebody decodes it who was told of it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(model), type=Model)


def test_a_model_that_many_were_told_of_is_one() -> None:
    one, other = told(MODEL), told(MODEL)
    assert one is not other
    assert shared(one) is shared(other)


def test_a_model_that_has_changed_is_another() -> None:
    """A run keeps what it began with, whatever a reload brings."""
    dearer = msgspec.structs.replace(MODEL, price=Price(9, 9, 9, 9))
    assert shared(told(MODEL)).price == MODEL.price
    assert shared(told(dearer)).price == dearer.price
