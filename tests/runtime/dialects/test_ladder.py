"""What is learnt from a refusal of a mode, and of a schema."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.dialects import ladder
from runtime.dialects.errors import VendorError
from runtime.dialects.forms import Form
from runtime.dialects.ladder import Ladder
from runtime.dialects.openai import STRICT
from tests.runtime.dialects.calls import call

FLAT: dict[str, Any] = {
    "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
}  # fmt: skip
OPEN = {**FLAT, "additionalProperties": True}


def order(schema: Any = FLAT, upstream: str = "m") -> Any:
    return call(upstream, schema=msgspec.json.encode(schema)).order


def rung(at: Ladder, schema: Any = FLAT, upstream: str = "m", *, tools: bool = True) -> str:
    step = at.step(order(schema, upstream), tools=tools)
    return "words" if step is None else step.rung


def test_the_schema_decides_where_nothing_is_known() -> None:
    at = Ladder(STRICT)
    assert [rung(at, s) for s in (FLAT, OPEN, {"type": "array"})] == ["native", "tool", "words"]
    assert rung(at, OPEN, tools=False) == "words"
    assert at.step(call().order) is None


OF_THE_MODE = [
    ("native", VendorError("Invalid parameter: 'response_format' of type 'json_schema' is not "
                           "supported with this model. Learn more.")),
    ("native", VendorError("Unsupported parameter", code="unsupported_parameter",
                           param="response_format")),
    ("native", VendorError("This response_format type is unavailable now")),
    ("native", VendorError("output_config.format: Extra inputs are not permitted")),
    ("native", VendorError("output_config: Extra inputs are not permitted")),
    ("native", VendorError("JSON mode is not enabled for models/m")),
    ("native", VendorError("Invalid JSON payload received. Unknown name \"responseJsonSchema\" at "
                           "'generation_config': Cannot find field.")),
    ("tool", VendorError("Function calling is not enabled for models/m")),
    ("tool", VendorError("registry/llama2 does not support tools")),
    ("tool", VendorError("deepseek-reasoner does not support this tool_choice")),
    ("tool", VendorError("not supported", param="tools[0].function")),
]  # fmt: skip
OF_THE_SCHEMA = [
    ("native", VendorError("Invalid schema for response_format 'answer': In context=(), "
                           "'additionalProperties' is required", param="response_format")),
    ("native", VendorError("output_config.format.schema: For 'array' type, property 'maxItems' is "
                           "not supported")),
    ("native", VendorError("Invalid JSON payload received. Unknown name \"oneOf\" at "
                           "'generation_config.response_json_schema.properties[0].value'")),
    ("native", VendorError("failed to parse grammar")),
    ("tool", VendorError("Invalid schema for function 'answer': schema must be an object",
                         param="tools[0].function.parameters")),
    ("tool", VendorError("tools.0.custom.input_schema: JSON schema is invalid")),
]  # fmt: skip


@pytest.mark.parametrize(("of", "error"), OF_THE_MODE)
def test_a_mode_that_is_refused_is_not_used_again(of: str, error: VendorError) -> None:
    """With that model, whatever the schema; saying so twice changes nothing."""
    at = Ladder(STRICT)
    for _ in range(2):
        assert (at.learn(order(), 400, error) or "").startswith("m takes no ")
    assert rung(at) == {"native": "tool", "tool": "native"}[of]
    assert rung(at, {**FLAT, "title": "another"}) == rung(at)
    assert rung(at, OPEN) == {"native": "tool", "tool": "words"}[of]
    assert rung(at, upstream="n") == "native"


@pytest.mark.parametrize(("of", "error"), OF_THE_SCHEMA)
def test_a_schema_that_is_refused_says_nothing_of_others(of: str, error: VendorError) -> None:
    at = Ladder(STRICT)
    assert (at.learn(order(), 400, error) or "").startswith("m does not take this schema")
    assert rung(at) == {"native": "tool", "tool": "native"}[of]
    assert rung(at, {**FLAT, "title": "another"}) == "native"
    assert rung(at, upstream="n") == "native"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, OF_THE_MODE[0][1]),
        (500, VendorError("internal error in tools")),
        (429, OF_THE_MODE[0][1]),
        (400, VendorError("temperature is not supported", param="temperature")),
        (400, VendorError("messages with role 'tool' must follow tool_calls")),
        (400, VendorError("Unsupported value", param="messages[1].tool_call_id")),
        (400, VendorError("response_format: too many tokens for the context window")),
        (400, VendorError("I am a teapot")),
    ],
)
def test_other_errors_teach_nothing(status: int, error: VendorError) -> None:
    at = Ladder(STRICT)
    assert at.learn(order(), status, error) is None
    assert rung(at) == "native"


@pytest.mark.parametrize(
    ("said", "rungs"),
    [
        ("tools param requires --jinja flag", ["native", "words"]),
        ("JSON schema conversion failed: unrecognized schema", ["tool", "tool"]),
        ("response_format is not implemented", ["tool", "tool"]),
    ],
)
def test_a_server_may_take_it_for_a_fault_of_its_own(said: str, rungs: list[str]) -> None:
    """Where its words leave no doubt, the next way is better than the same again."""
    at = Ladder(STRICT)
    assert at.learn(order(), 500, VendorError(said)) is not None
    assert [rung(at), rung(at, OPEN)] == rungs


def test_a_call_without_a_schema_teaches_nothing() -> None:
    assert Ladder(STRICT).learn(call().order, 400, OF_THE_MODE[0][1]) is None


def test_what_is_remembered_of_schemas_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten, and costs one refusal more."""
    monkeypatch.setattr(ladder, "MOST_SCHEMAS", 2)
    at, titled = Ladder(Form(frozenset(), frozenset())), [{**FLAT, "title": t} for t in "abc"]
    for schema in titled:
        at.learn(order(schema), 400, OF_THE_SCHEMA[0][1])
    assert [rung(at, schema) for schema in titled] == ["native", "tool", "tool"]
