"""Schemas that would hold a processor for hours: they hold one worker for a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.model import Usage
from actors.domain.schema import MOST_BYTES, check_schema, is_heavy, problems
from actors.errors import BadRequest, Cancelled, SchemaNotMet
from runtime import Planhub
from runtime.testing import RecordedCall, Reply
from runtime.validation.validator import TOO_LONG
from tests.end_to_end.rig import (
    GPT,
    PATIENCE_S,
    Vendors,
    configured,
    held_nano,
    is_at_rest,
    nano,
    scripted_vendors,
    spent_nano,
    until,
)
from tests.hostile.material import REPEATABLE, VALUES, written

BOMB = {"type": "string", "pattern": "^(a+)+$"}
FUSE = json.dumps("a" * 60 + "!")
QUIET = json.dumps("aaaa")

KEYWORDS = st.sampled_from(
    [
        "type",
        "enum",
        "const",
        "items",
        "prefixItems",
        "properties",
        "required",
        "anyOf",
        "allOf",
        "not",
        "$ref",
        "$defs",
        "$id",
        "$anchor",
        "$dynamicRef",
        "$schema",
        "pattern",
        "patternProperties",
        "minimum",
        "multipleOf",
        "minLength",
        "maxItems",
        "uniqueItems",
        "format",
        "dependentSchemas",
        "contains",
        "if",
        "then",
        "else",
        "additionalProperties",
        "unevaluatedItems",
        "propertyNames",
    ]
)
WORTH = st.one_of(
    VALUES,
    st.sampled_from(
        ["#", "#/$defs/a", "#/properties/a", "http://there/x", "file:///etc/passwd", "(", "a+"]
    )
    | st.sampled_from(
        ["string", "object", "array", "integer", 0, 1e308, 1e-320, 2**70, True, [], {}]
    ),
)
SCHEMAS = st.recursive(
    st.dictionaries(KEYWORDS, WORTH, max_size=4),
    lambda inner: st.dictionaries(
        KEYWORDS, inner | st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=3)
    ),
    max_leaves=6,
)


def refused(schema: bytes) -> bool:
    try:
        check_schema(schema)
    except BadRequest as refusal:
        return refusal.code == "bad_schema"
    return False


@REPEATABLE
@given(SCHEMAS | VALUES, VALUES)
def test_schemas_of_any_kind(schema: Any, value: Any) -> None:
    """Refused, or good for a finding about any answer."""
    encoded, instance = written(schema), written(value)
    if not refused(encoded) and not is_heavy(encoded, instance):
        assert all(isinstance(problem, str) for problem in problems(encoded, instance))


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_edge_of_what_is_too_long(over: int) -> None:
    """To the byte."""
    empty = len(b'{"title":""}')
    schema = b'{"title":"%b"}' % (b"x" * (MOST_BYTES - empty + over))
    assert refused(schema) == (over > 0)


# --- in real runs --------------------------------------------------------------------------------


def lit(call: RecordedCall) -> Reply:
    """An answer that takes for ever to check, to whoever asks for the bomb."""
    return Reply(FUSE if "(a+)+" in json.dumps(call.body) else "An answer.")


def test_a_bomb_is_put_out_and_the_others_are_served_meanwhile(vendors: Vendors) -> None:
    """Its worker is killed, and so is the repair's; the run says what was wrong, and is paid for.
    Requests that came later, on the same engine, are answered before it.
    """
    vendors.openai.answers(lit)
    ended: list[str] = []
    with Planhub.open(configured(vendors, models=(GPT,))) as hub:
        bombed = hub.submit("Why?", output_schema=BOMB)
        bombed.add_done_callback(lambda _: ended.append("bomb"))
        assert until(lambda: len(vendors.openai.calls) == 1)
        for _ in range(20):
            assert hub.plan("And how?").status == "complete"
            ended.append("other")
        with pytest.raises(SchemaNotMet) as failed:
            bombed.result(PATIENCE_S)
        assert ended == ["other"] * 20 + ["bomb"]
        assert TOO_LONG in failed.value.text
        assert [call["role"] for call in failed.value.calls or ()] == ["answer", "repair"]
        assert held_nano(hub) == 0
        assert failed.value.cost is not None
        assert spent_nano(hub) > nano(failed.value.cost["spent_usd"]) > 0


def test_a_bomb_that_its_author_takes_back(vendors: Vendors) -> None:
    """The repair is validated like any answer, by a worker of its own."""
    vendors.openai.answers([Reply(FUSE), Reply(QUIET)])
    with Planhub.open(configured(vendors, models=(GPT,))) as hub:
        result = hub.plan("Why?", output_schema=BOMB)
    assert (result.status, result.output) == ("complete", "aaaa")
    assert [call.role for call in result.calls] == ["answer", "repair"]


def test_a_run_is_cancelled_while_its_bomb_burns(vendors: Vendors) -> None:
    """It need not wait for the worker; the answer was complete, and is paid for as billed."""
    vendors.openai.answers(Reply(FUSE, Usage(input=100, output=7)))
    with Planhub.open(configured(vendors, models=(GPT,))) as hub:
        bombed = hub.submit("Why?", output_schema=BOMB)
        assert until(lambda: len(vendors.openai.calls) == 1 and is_at_rest(hub, "openai"))
        assert bombed.cancel()
        with pytest.raises(Cancelled) as cancelled:
            bombed.result(PATIENCE_S)
        (call,) = cancelled.value.calls or ()
        assert (call["output_tokens"], call["estimated"]) == (7, False)
        assert (held_nano(hub), spent_nano(hub)) == (0, nano(call["cost_usd"]))


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors
