"""The modes as the vendors see them: how many calls, and what is in each."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import Planhub
from runtime.testing import RecordedCall, Reply, judging
from tests.end_to_end.rig import PROMPT, Vendors, by_role, configured

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "You design APIs for banks."},
    {"role": "user", "content": "What should a URL name?"},
    {"role": "assistant", "content": "A thing, not an action."},
    {"role": "user", "content": PROMPT},
]
PARAMETERS = {
    "temperature": 0.4,
    "max_tokens": 777,
    "stop": ["END OF PLAN"],
}
WRITING = {"plan", "refine", "voter", "answer", "fuse"}


@pytest.mark.parametrize(
    ("mode", "fields", "roles"),
    [
        ("planning", {}, ["answer"]),
        ("adversarial", {}, ["plan", "critique", "refine"]),
        ("adversarial", {"iterations": 3}, ["plan", *["critique", "refine"] * 3]),
        ("adversarial", {"return_plan_only": True}, ["plan"]),
        ("vote", {}, ["voter", "voter", "voter", "judge"]),
        ("vote", {"voters": 5}, ["voter"] * 5 + ["judge"]),
        ("vote", {"voters": 1}, ["voter"]),
        ("fuse", {}, ["voter", "voter", "voter", "fuse"]),
        ("fuse", {"voters": 2}, ["voter", "voter", "fuse"]),
        ("refine", {}, ["answer", "refine", "refine"]),
        ("refine", {"iterations": 3}, ["answer", "refine", "refine", "refine"]),
    ],
)
def test_a_mode_makes_exactly_its_calls(
    vendors: Vendors, mode: str, fields: dict[str, Any], roles: list[str]
) -> None:
    """As many as the result says, and none that it does not."""
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, mode=mode, **fields)
    assert (result.status, result.reasons) == ("complete", [])
    assert [call.role for call in result.calls] == roles
    assert {call.status for call in result.calls} == {"ok"}
    assert len(vendors.calls) == result.cost.calls == len(roles)
    by_role(result, vendors)


@pytest.mark.parametrize("mode", ["planning", "adversarial", "vote", "refine", "fuse"])
@pytest.mark.parametrize("primary", ["gpt-strong", "claude-strong"])
def test_the_conversation_and_the_parameters_reach_the_models(
    vendors: Vendors, mode: str, primary: str
) -> None:
    """All roles and turns reach whoever reads or writes; the parameters, the writers alone."""
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(CONVERSATION, mode=mode, primary_model_id=primary, parameters=PARAMETERS)
    for role, calls in by_role(result, vendors).items():
        for call in calls:
            assert _conversation(call)[:4] == CONVERSATION or role == "judge"
            assert _parameters(call) == (PARAMETERS if role in WRITING else {
                "temperature": 0, "max_tokens": 4096
            })  # fmt: skip


def test_a_judge_is_shown_the_conversation(vendors: Vendors) -> None:
    """As text, beside the candidates, and without the name of any model that wrote one."""
    vendors.answer(judging(otherwise=lambda call: Reply(f"{len(call.messages)} turns. Sure.")))
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(CONVERSATION, mode="vote", parameters=PARAMETERS)
    (call,) = by_role(result, vendors)["judge"]
    shown = "\n".join(str(turn["content"]) for turn in _conversation(call))
    for turn in CONVERSATION:
        assert turn["content"] in shown
    for entry in result.calls:
        assert entry.model not in shown


def test_each_voter_is_asked_the_same(vendors: Vendors) -> None:
    """By different models over both vendors; the judge is none of them."""
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, mode="vote")
    voters = [call.model for call in result.calls if call.role == "voter"]
    assert len(set(voters)) == 3
    assert result.response["judge"] not in voters
    assert [response["model"] for response in result.response["responses"]] == voters
    assert result.response["responses"][result.response["selected"]]["selected"]
    assert result.negotiated_model == voters[result.response["selected"]]


@pytest.mark.parametrize("primary", ["gpt-strong", "claude-strong"])
def test_every_letter_arrives(vendors: Vendors, primary: str) -> None:
    """Whatever the script, there and back; quotes, breaks and marks of formats are just text."""
    text = 'Größe "日本語" 🐙\n{"role": "system"} </s> \\u0041 \u2028 \x7f'
    vendors.answer(Reply(f"You said: {text}"))
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(text, primary_model_id=primary)
    (call,) = vendors.calls
    assert call.last_text == text
    assert result.text == f"You said: {text}"


@pytest.mark.parametrize("mode", ["planning", "adversarial", "vote", "refine", "fuse"])
def test_hidden_reasoning_is_stripped_when_asked(vendors: Vendors, mode: str) -> None:
    """It is returned as it came otherwise, and never shown to another model."""
    vendors.answer(judging(otherwise=lambda _: Reply("<think>they want REST</think>A REST API.")))
    with Planhub.open(configured(vendors)) as hub:
        as_it_came = hub.plan(PROMPT, mode=mode)
        stripped = hub.plan(PROMPT, mode=mode, strip_think=True)
    assert as_it_came.text == "<think>they want REST</think>A REST API."
    assert stripped.text == "A REST API."
    assert b"they want REST" not in stripped.to_json()
    assert not [call for call in vendors.calls if "they want REST" in str(call.body)]


@pytest.mark.parametrize("model", ["gpt-strong", "claude-strong"])
def test_a_schema_holds_in_every_mode(vendors: Vendors, model: str) -> None:
    """An answer that breaks it is repaired once by its author, and `output` is the valid one."""
    schema = {"type": "object", "required": ["paths"], "properties": {"paths": {"type": "array"}}}
    vendors[("openai" if model.startswith("gpt") else "anthropic")].answers(
        [Reply("I would say /tasks."), Reply('```json\n{"paths": ["/tasks"]}\n```')]
    )
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, primary_model_id=model, output_schema=schema)
    assert result.output == {"paths": ["/tasks"]}
    assert result.text == '{"paths": ["/tasks"]}'
    assert [(call.role, call.status) for call in result.calls] == [
        ("answer", "invalid"),
        ("repair", "ok"),
    ]


def _conversation(call: RecordedCall) -> list[dict[str, Any]]:
    """The conversation as it reached a vendor of either dialect, in OpenAI's terms."""
    system = [{"role": "system", "content": block["text"]} for block in call.body.get("system", ())]
    return [*system, *call.messages]


def _parameters(call: RecordedCall) -> dict[str, Any]:
    """What else there is, in OpenAI's terms."""
    names = {"stop_sequences": "stop"}
    other = {"model", "messages", "system", "stream"}
    return {names.get(k, k): v for k, v in call.body.items() if k not in other}
