"""An answer that must meet a schema, from vendors that can be asked for it in different ways.

Each vendor is asked by its own mode, else by a forced tool, else by instructions; whichever it was,
the answer is the same text, and costs what the vendor told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from actors.domain.model import Usage
from runtime import PlanError, Planhub
from runtime.config import Config, complete, parse
from runtime.testing import RecordedCall, Reply, ScriptedVendor, streams
from runtime.testing.wire import Format
from tests.end_to_end.rig import PROMPT, nano

FORMATS: tuple[Format, ...] = ("openai", "anthropic", "gemini")
MODES: dict[Format, tuple[str, str]] = {
    "openai": ("response_format", "tools"),
    "anthropic": ("output_config", "tools"),
    "gemini": ("responseJsonSchema", "tools"),
}
"""What a request has for the vendor's own mode, and for a tool."""

SCHEMA = {
    "type": "object",
    "properties": {
        "moons": {"type": "array", "items": {"type": "string", "minLength": 3}, "maxItems": 9},
        "planet": {"enum": ["Mars", "Venus"]},
    },
    "required": ["moons", "planet"],
}
OPEN = {"type": "object", "properties": {"moons": {"not": {"type": "null"}}}, "required": ["moons"]}
TEXT = '{"moons":["Phobos","Deimos"],"planet":"Mars"}'
BAD = '{"moons":["Phobos",4],"planet":"Mars"}'
USAGE = Usage(input=1_003, cache_read=17, output=211)
COST = 1_003 * 2_030 + 17 * 510 + 211 * 10_070
"""Of that usage at the prices below, in nano-USD."""


def configured(*vendors: ScriptedVendor) -> Config:
    file = {
        "providers": [
            {"id": v.dialect, "dialect": v.dialect, "base_url": v.url, "api_key_env": "K"}
            for v in vendors
        ],
        "models": [
            {"id": f"{v.dialect}-{name}", "provider": v.dialect, "upstream": name, "weight": weight,
             "context_tokens": 100_000, "max_output_tokens": 8_000, "input_usd_per_mtok": 2.03,
             "output_usd_per_mtok": 10.07, "cache_read_usd_per_mtok": 0.51}
            for v in vendors
            for name, weight in (("m", 9), ("n", 2))
        ],
    }  # fmt: skip
    return complete(parse(file), {"K": "test-key"})


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


@pytest.fixture
def refused() -> tuple[int, ...]:
    """Which of a vendor's ways model `m` does not know."""
    return ()


@pytest.fixture
def vendor(format: Format, refused: tuple[int, ...]) -> Iterator[ScriptedVendor]:
    refuses = {"m": [MODES[format][way] for way in refused]}
    with ScriptedVendor(format, refuses=refuses) as vendor:
        vendor.answers(Reply(TEXT, USAGE))
        yield vendor


@pytest.fixture
def hub(vendor: ScriptedVendor) -> Iterator[Planhub]:
    with Planhub.open(configured(vendor)) as hub:
        yield hub


def way(call: RecordedCall) -> str:
    """How a call asks for the answer's form."""
    if call.native_schema is not None:
        return "native"
    return "tool" if call.forced_tool is not None else "words"


def ways(vendor: ScriptedVendor) -> list[str]:
    return [way(call) for call in vendor.calls]


def words_of(call: RecordedCall) -> str:
    return msgspec.json.encode(call.body).decode()


@pytest.mark.parametrize(
    ("refused", "tried"),
    [
        ((), ["native"]),
        ((0,), ["native", "tool"]),
        ((1,), ["native"]),
        ((0, 1), ["native", "tool", "words"]),
    ],
)
def test_each_way_is_tried_until_one_is_taken(
    hub: Planhub, vendor: ScriptedVendor, tried: list[str]
) -> None:
    """A refusal costs nothing and is met once: the next run begins where this one ended."""
    first, second = (hub.plan(PROMPT, output_schema=SCHEMA) for _ in range(2))
    assert ways(vendor) == [*tried, tried[-1]]
    assert [call.status for call in first.calls] == [*["failed"] * (len(tried) - 1), "ok"]
    assert [call.status for call in second.calls] == ["ok"]
    for result in (first, second):
        assert (result.status, result.reasons) == ("complete", [])
        assert result.text == TEXT
        assert result.output == {"moons": ["Phobos", "Deimos"], "planet": "Mars"}
        assert nano(result.cost.spent_usd) == COST
        assert not result.cost.estimated


@pytest.mark.parametrize("refused", [(), (0,), (0, 1)])
def test_the_conversation_names_the_schema_in_every_way(
    hub: Planhub, vendor: ScriptedVendor
) -> None:
    """In whole: also the bounds that a mode does not know."""
    hub.plan(PROMPT, output_schema=SCHEMA)
    assert all("minLength" in words_of(call) for call in vendor.calls)
    assert all("JSON Schema" in words_of(call) for call in vendor.calls)


def test_a_schema_that_no_mode_takes_is_asked_for_by_a_tool(
    hub: Planhub, vendor: ScriptedVendor
) -> None:
    """Nothing is sent that would be refused."""
    hub.plan(PROMPT, output_schema=OPEN)
    hub.plan(PROMPT, output_schema=SCHEMA)
    assert ways(vendor) == ["tool", "native"]


def test_one_that_is_no_object_is_asked_for_in_words(hub: Planhub, vendor: ScriptedVendor) -> None:
    vendor.answers(Reply('["Phobos"]', USAGE))
    result = hub.plan(PROMPT, output_schema={"type": "array", "contains": {"type": "string"}})
    assert ways(vendor) == ["words"]
    assert result.output == ["Phobos"]


def test_without_a_schema_nothing_is_asked_for(hub: Planhub, vendor: ScriptedVendor) -> None:
    """And a model that calls a tool all the same has not answered."""
    vendor.answers(Reply("Two.", USAGE))
    assert hub.plan(PROMPT).text == "Two."
    assert ways(vendor) == ["words"]


@pytest.mark.parametrize("refused", [(), (0,), (0, 1)])
def test_an_answer_that_breaks_it_is_repaired_once(hub: Planhub, vendor: ScriptedVendor) -> None:
    """In the same way as it was given; both are paid for."""
    refusals = len(vendor._refuses["m"])
    vendor.answers([Reply(BAD, USAGE), Reply(TEXT, USAGE)])
    result = hub.plan(PROMPT, output_schema=SCHEMA)
    assert result.text == TEXT
    assert [call.status for call in result.calls] == [*["failed"] * refusals, "invalid", "ok"]
    assert [call.role for call in result.calls][-1] == "repair"
    assert len(set(ways(vendor)[refusals:])) == 1
    assert nano(result.cost.spent_usd) == 2 * COST
    vendor.answers(Reply(BAD, USAGE))
    with pytest.raises(PlanError) as failed:
        hub.plan(PROMPT, output_schema=SCHEMA)
    assert failed.value.code == "schema_not_met"


@pytest.mark.parametrize("refused", [(0,)])
def test_a_model_that_writes_where_a_tool_was_forced(hub: Planhub, vendor: ScriptedVendor) -> None:
    """Its text is taken for what it is."""
    vendor.answers(Reply(f"Here it is:\n```json\n{TEXT}\n```", USAGE))
    result = hub.plan(PROMPT, output_schema=SCHEMA)
    assert ways(vendor) == ["native", "tool"]
    assert result.text == TEXT


@pytest.mark.parametrize("refused", [(), (0,), (0, 1)])
def test_it_is_streamed_as_it_is_written(hub: Planhub, vendor: ScriptedVendor) -> None:
    """The arguments of a tool no less than a text; what is shown is the answer."""
    assert len(TEXT) > 2 * streams.PIECE
    events = list(hub.stream(PROMPT, output_schema=SCHEMA))
    assert "".join(event["text"] for event in events if event["event"] == "text") == TEXT
    assert events[-1]["event"] == "run_finished"
    assert all(call.streams for call in vendor.calls)
    assert nano(events[-1]["result"]["cost"]["spent_usd"]) == COST


@pytest.mark.parametrize("refused", [(0,)])
def test_a_refusal_is_one_model_s(hub: Planhub, vendor: ScriptedVendor, format: Format) -> None:
    hub.plan(PROMPT, output_schema=SCHEMA, primary_model_id=f"{format}-m")
    hub.plan(PROMPT, output_schema=SCHEMA, primary_model_id=f"{format}-n")
    assert [(call.model, way(call)) for call in vendor.calls] == [
        ("m", "native"), ("m", "tool"), ("n", "native"),
    ]  # fmt: skip


@pytest.mark.parametrize("format", ["anthropic"])
@pytest.mark.parametrize("refused", [(0,)])
def test_a_model_that_thinks_is_not_forced(hub: Planhub, vendor: ScriptedVendor) -> None:
    """And what else the user asks for in the place of the mode stays there."""
    parameters: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    hub.plan(PROMPT, output_schema=SCHEMA, parameters=parameters)
    assert ways(vendor) == ["native", "words"]
    effort = {"output_config": {"effort": "low"}}
    hub.plan(PROMPT, output_schema=SCHEMA, parameters=effort, primary_model_id="anthropic-n")
    assert vendor.calls[-1].body["output_config"]["effort"] == "low"
    assert way(vendor.calls[-1]) == "native"


def test_the_schema_goes_along_to_another_vendor() -> None:
    """From one that is down to the next, each asked in its own way."""
    with ScriptedVendor("openai") as down, ScriptedVendor("gemini", refuses={"m": ["tools"]}) as up:
        down.answers(Reply("no", status=503))
        up.answers(Reply(TEXT, USAGE))
        with Planhub.open(configured(down, up)) as hub:
            result = hub.plan(PROMPT, output_schema=SCHEMA, primary_model_id="openai-m")
    assert set(ways(down)) == {"native"}
    assert ways(up) == ["native"]
    assert result.text == TEXT
    assert nano(result.cost.spent_usd) == COST


def test_every_voter_is_asked_in_its_vendor_s_way() -> None:
    """And each answer is validated before it is judged."""
    with ScriptedVendor("openai") as one, ScriptedVendor("anthropic") as other:
        one.answers(Reply(TEXT, USAGE))
        other.answers(Reply(TEXT, USAGE))
        with Planhub.open(configured(one, other)) as hub:
            result = hub.plan(PROMPT, mode="vote", voters=2, output_schema=SCHEMA)
    voted = [call for call in (*one.calls, *other.calls) if way(call) == "native"]
    assert len(voted) == 2
    assert result.output == msgspec.json.decode(TEXT)
