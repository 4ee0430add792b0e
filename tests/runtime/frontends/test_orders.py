"""From a request to an order: names resolved, defaults filled, nothing dropped."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from actors.errors import BadRequest
from actors.protocol import Order
from runtime.frontends.wire import Edge, Orchestration, plan_request, to_order

EDGE = Edge(
    models=frozenset({"opus", "gpt", "mini"}),
    aliases={"claude-opus": "opus", "gpt-4": "gpt"},
)


def order(edge: Edge = EDGE, prompt: Any = "hi", **fields: Any) -> Order:
    return to_order(plan_request(prompt, **fields), edge, run="r1", seed=7, created=1_790_000_000)


def refusal(edge: Edge = EDGE, **fields: Any) -> tuple[str, str]:
    with pytest.raises(BadRequest) as caught:
        order(edge, **fields)
    return caught.value.code, caught.value.text


def test_a_bare_request_is_planning() -> None:
    made = order()
    assert (made.mode, made.voters, made.iterations, made.on_partial) == (
        "planning", 3, 0, "accept",
    )  # fmt: skip
    assert (made.seed, made.latency_s, made.max_tokens, made.limited) == (7, 120.0, None, False)


@pytest.mark.parametrize(
    ("mode", "given", "effective"),
    [
        ("adversarial", None, 1),
        ("adversarial", 0, 1),
        ("adversarial", 4, 4),
        ("refine", None, 2),
        ("refine", 3, 3),
        ("vote", 5, 0),
    ],
)
def test_iterations(mode: str, given: int | None, effective: int) -> None:
    """Zero and absent mean the mode's own number."""
    assert order(mode=mode, iterations=given).iterations == effective


@pytest.mark.parametrize(
    ("fields", "voters"),
    [
        ({}, 3),
        ({"voters": 5}, 5),
        ({"iterations": 4}, 4),
        ({"iterations": 1}, 3),
        ({"iterations": 4, "voters": 2}, 2),
        ({"voter_model_ids": ["opus", "opus"]}, 2),
        ({"voter_model_ids": []}, 3),
    ],
)
def test_how_many_vote(fields: dict[str, Any], voters: int) -> None:
    """`voters` says it; without it the named voters do, or two or more `iterations`."""
    assert order(mode="vote", **fields).voters == voters


def test_aliases_are_resolved_everywhere() -> None:
    made = order(
        primary_model_id="claude-opus",
        review_model_id="gpt-4",
        voter_model_ids=["gpt-4", "mini", "claude-opus"],
    )
    assert (made.primary, made.review) == ("opus", "gpt")
    assert made.voter_models == ("gpt", "mini", "opus")


@pytest.mark.parametrize(
    "fields",
    [
        {"primary_model_id": "gpt-5"},
        {"review_model_id": "gpt-5"},
        {"model_hint": "gpt-5"},
        {"voter_model_ids": ["mini", "gpt-5"]},
    ],
)
def test_a_model_nobody_configured(fields: dict[str, Any]) -> None:
    """A misspelt model is refused by name, wherever it stands."""
    assert refusal(**fields) == ("unknown_model", "unknown model: gpt-5")


def test_a_hint_is_for_planning() -> None:
    """`model_hint` is preferred in mode planning, behind an explicit id."""
    assert order(model_hint="mini").primary == "mini"
    assert order(model_hint="mini", primary_model_id="gpt").primary == "gpt"
    assert order(model_hint="mini", mode="refine").primary is None


def test_voters_and_their_names_must_agree() -> None:
    code, text = refusal(mode="vote", voters=3, voter_model_ids=["mini", "gpt"])
    assert code == "bad_request"
    assert text == (
        "orchestration.voters must be 2, the length of orchestration.voter_model_ids, got 3"
    )


def test_the_conversation_arrives_whole() -> None:
    """All roles in their order; parts of text joined as they stand."""
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Design a "},
                                     {"type": "text", "text": "REST API"}]},
        {"role": "assistant", "content": "Which?"},
        {"role": "user", "content": "Tasks – ☃"},
    ]  # fmt: skip
    sent = msgspec.json.decode(order(prompt=prompt).messages)
    assert sent == [prompt[0], {"role": "user", "content": "Design a REST API"}, *prompt[2:]]


# --- parameters -------------------------------------------------------------------------------


def test_what_the_engine_handles_leaves_the_parameters() -> None:
    made = order(parameters={"temperature": 0, "max_tokens": 100, "top_p": 0.5, "stop": ["x"]})
    assert (made.temperature, made.max_tokens) == (0.0, 100)
    assert msgspec.json.decode(made.parameters) == {"top_p": 0.5, "stop": ["x"]}
    assert order(parameters={"max_completion_tokens": 9, "max_tokens": 9}).max_tokens == 9


@pytest.mark.parametrize(
    "name", ["model", "messages", "stream", "n", "tools", "tool_choice", "response_format"]
)
def test_what_the_engine_owns_is_refused(name: str) -> None:
    code, text = refusal(parameters={name: 1})
    assert (code, text) == (
        "bad_request",
        f"request.parameters.{name} is set by planhub and must be absent, got 1",
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_tokens": 0},
        {"max_tokens": "many"},
        {"max_tokens": True},
        {"max_completion_tokens": 1.5},
        {"max_tokens": 1, "max_completion_tokens": 2},
        {"temperature": 3},
        {"temperature": "hot"},
    ],
)
def test_parameters_out_of_range(parameters: dict[str, Any]) -> None:
    assert refusal(parameters=parameters)[0] == "bad_request"


# --- schemas ----------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def test_a_schema_is_an_object_or_its_text() -> None:
    """Both forms come to the same schema, wherever it is given."""
    text = msgspec.json.encode(SCHEMA).decode()
    given = {"messages": [{"role": "user", "content": "hi"}]}
    made = [
        to_order(decoded, EDGE, run="r", seed=1, created=1).schema
        for decoded in (
            plan_request("hi", output_schema=SCHEMA),
            plan_request("hi", output_schema=text),
            msgspec.convert({"request": {**given, "output_schema": text}}, type(plan_request("x"))),
            msgspec.convert(
                {
                    "request": {**given, "output_schema": SCHEMA},
                    "orchestration": {"output_schema": text},
                },
                type(plan_request("x")),
            ),
        )
    ]
    assert len(set(made)) == 1
    assert made[0] is not None
    assert msgspec.json.decode(made[0]) == SCHEMA


@pytest.mark.parametrize(
    ("schema", "ending"),
    [
        ("{", "not JSON"),
        ("[]", "it must be an object, got []"),
        ("[" * 300 + "]" * 300, "the body must not be nested deeper than 200 levels"),
        ({"type": "nothing"}, ""),
        ({"$ref": "https://example.com/schema"}, ""),
    ],
)
def test_a_schema_that_is_none(schema: Any, ending: str) -> None:
    code, text = refusal(output_schema=schema)
    assert code == "bad_schema"
    assert text.startswith("invalid output_schema: ")
    assert text.endswith(ending)


def test_two_schemas_must_be_one() -> None:
    request = msgspec.convert(
        {
            "request": {"messages": [{"role": "user", "content": "x"}], "output_schema": SCHEMA},
            "orchestration": {"output_schema": {"type": "array"}},
        },
        type(plan_request("x")),
    )
    with pytest.raises(BadRequest) as caught:
        to_order(request, EDGE, run="r", seed=1, created=1)
    assert caught.value.code == "bad_request"
    assert "output_schema" in caught.value.text


# --- defaults and limits ----------------------------------------------------------------------


def test_the_configuration_fills_what_is_open() -> None:
    """A request's own word goes before the configured default, and that before the built-in."""
    edge = Edge(
        models=EDGE.models,
        aliases=EDGE.aliases,
        defaults=Orchestration(
            mode="vote", voter_model_ids=["mini", "gpt"], on_partial="fail", seed=3,
            primary_model_id="claude-opus", review_min_weight=4, iterations=5,
        ),
        limit_nano=5,
        latency_s=9.0,
        max_tokens=77,
    )  # fmt: skip
    made = order(edge)
    assert (made.mode, made.voters, made.voter_models) == ("vote", 2, ("mini", "gpt"))
    assert (made.on_partial, made.seed, made.primary, made.review_min_weight) == (
        "fail", 3, "opus", 4,
    )  # fmt: skip
    assert (made.limit_nano, made.latency_s, made.max_tokens, made.limited) == (5, 9.0, 77, True)
    asked = order(edge, mode="refine", on_partial="refill", seed=0, voters=4, iterations=0)
    assert (asked.mode, asked.on_partial, asked.seed, asked.voters) == ("refine", "refill", 0, 4)
    assert (asked.voter_models, asked.iterations) == ((), 5)


def test_limits() -> None:
    """A budget of zero is a limit; USD become whole nano-USD, never more than was said."""
    made = order(max_budget_usd=0.0, max_latency_ms=1500)
    assert (made.limit_nano, made.limited, made.latency_s) == (0, True, 1.5)
    assert order(max_budget_usd=0.1).limit_nano == 100_000_000
    assert order(max_budget_usd=1e-10).limit_nano == 0
    monthly = Edge(models=EDGE.models, monthly_limit_nano=1)
    assert order(monthly).limited


def test_a_configured_majority_is_for_what_has_fields() -> None:
    """One that is asked for needs a schema; a default without one leaves it to the judge."""
    edge = replace(EDGE, defaults=Orchestration(decide="majority"))
    assert order(edge, mode="vote").decide == "judge"
    assert order(edge, mode="vote", output_schema={}).decide == "majority"
    code, text = refusal(mode="vote", decide="majority")
    assert code == "bad_request"
    assert text == 'orchestration.decide must be "judge" without an output_schema, got "majority"'
