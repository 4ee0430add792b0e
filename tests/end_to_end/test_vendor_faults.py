"""One vendor misbehaves in every way there is; the other one answers, and notices nothing."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import AllModelsFailed, Planhub
from runtime.testing import Reply, judging
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PROMPT,
    Vendors,
    configured,
    held_nano,
    is_at_rest,
    nano,
    pool,
    spent_nano,
    until,
)

FAULTS = {
    "500": Reply("the server had an error", status=500),
    "429": Reply("slow down", status=429, headers={"retry-after-ms": "50"}),
    "context overflow": Reply("prompt is too long: maximum context length is 9", status=400),
    "not allowed": Reply("your account is closed", status=403),
    "garbage": Reply(fault="garbage"),
    "noise": Reply(fault="noise"),
    "huge": Reply(fault="huge"),
    "truncate": Reply(fault="truncate"),
    "hang": Reply(fault="hang"),
    "close": Reply(fault="close"),
    "reset": Reply(fault="reset"),
    "empty": Reply(""),
}
MODEL_OF = {"openai": GPT, "anthropic": CLAUDE}
STRICT = {"first_byte_timeout_s": 0.1, "max_response_bytes": 100_000}


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_vendor_is_answered_by_the_other(
    vendors: Vendors, dialect: str, fault: str
) -> None:
    """Nothing is held afterwards, and once it has recovered the vendor is asked again."""
    broken, whole = vendors[dialect], vendors.other(dialect)
    broken.answers(FAULTS[fault])
    config = configured(vendors, models=(GPT, CLAUDE), provider=STRICT)
    with Planhub.open(config) as hub:
        result = hub.plan(PROMPT, primary_model_id=MODEL_OF[dialect])
        assert result.negotiated_model == MODEL_OF[whole.dialect]
        assert result.status == "complete"
        assert (len(whole.calls), pool(hub, whole.dialect).breaker) == (1, "closed")
        failed, answered = result.calls[:-1], result.calls[-1]
        assert {call.provider for call in failed} == {dialect}
        assert len(failed) == len(broken.calls) <= 2
        assert all(call.error and call.status == "failed" for call in failed)
        assert all(call.cost_usd == 0 for call in failed) or FAULTS[fault].status == 200
        assert (answered.provider, answered.status) == (whole.dialect, "ok")
        assert (held_nano(hub), spent_nano(hub)) == (0, nano(result.cost.spent_usd))
        assert hub.engine.system.restarts == 0

        broken.answers(judging())
        recovered = until(lambda: _answered_by(hub, dialect))
        assert recovered.status == "complete"
        assert until(lambda: is_at_rest(hub, dialect))
        assert is_at_rest(hub, whole.dialect)


def _answered_by(hub: Planhub, provider: str) -> Any:
    """The answer to a request for this vendor's model, if nobody else had to give it."""
    result = hub.plan(PROMPT, primary_model_id=MODEL_OF[provider])
    return result if len(result.calls) == 1 and result.calls[0].provider == provider else None


@pytest.mark.parametrize(
    ("mode", "fault"), [("adversarial", "500"), ("vote", "garbage"), ("refine", "hang")]
)
def test_every_mode_is_answered_by_the_vendor_that_is_left(
    vendors: Vendors, mode: str, fault: str
) -> None:
    """Whole, whatever stage the fault comes in: a voter that failed is replaced when asked for."""
    vendors.openai.answers(FAULTS[fault])
    with Planhub.open(configured(vendors, provider=STRICT)) as hub:
        result = hub.plan(PROMPT, mode=mode, on_partial="refill")
        assert (held_nano(hub), spent_nano(hub)) == (0, nano(result.cost.spent_usd))
    assert result.text
    assert {call.provider for call in result.calls if call.status == "ok"} == {"anthropic"}
    assert {call.status for call in result.calls if call.provider == "openai"} == {"failed"}


def test_a_failed_voter_is_named(vendors: Vendors) -> None:
    """With its error, beside the answers of the others, of which the judge picks one."""
    vendors.anthropic.answers(Reply("your account is closed", status=403))
    voters = [GPT, CLAUDE, "gpt-light"]
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, mode="vote", voter_model_ids=voters)
    assert (result.status, result.reasons) == ("degraded", ["judge_is_voter", "voters_failed"])
    assert [failed["model"] for failed in result.response["failed"]] == [CLAUDE]
    assert "your account is closed" in result.response["failed"][0]["error"]
    assert [r["model"] for r in result.response["responses"]] == [GPT, "gpt-light"]
    assert result.response["judge_decided"]


def test_a_longer_context_is_looked_for_when_one_overflows(vendors: Vendors) -> None:
    """Not at a model that takes less: whatever its weight, the largest is asked next."""
    vendors.openai.answers(FAULTS["context overflow"])
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, primary_model_id=GPT)
    assert [call.model for call in result.calls] == [GPT, CLAUDE]


def test_a_vendor_without_substitute_is_waited_for(vendors: Vendors) -> None:
    """As long as it asked, and no request is refused for it that was there before."""
    wait_ms = 200
    busy = Reply("slow down", status=429, headers={"retry-after-ms": str(wait_ms)})
    vendors.openai.answers([busy])
    with Planhub.open(configured(vendors, models=(GPT,))) as hub:
        result = hub.plan(PROMPT)
    assert [(call.status, call.attempt) for call in result.calls] == [("failed", 1), ("ok", 2)]
    first, second = result.calls
    assert second.started_ms >= first.started_ms + wait_ms
    assert result.status == "complete"


def test_when_all_vendors_fail_each_is_named(vendors: Vendors) -> None:
    """Nothing is held, and the next request is served."""
    vendors.answer(Reply("your account is closed", status=403))
    with Planhub.open(configured(vendors)) as hub:
        with pytest.raises(AllModelsFailed) as failed:
            hub.plan(PROMPT)
        assert failed.value.calls is not None
        assert len(failed.value.calls) == len(vendors.calls) == 4
        for call in failed.value.calls:
            assert call["model"] in failed.value.text
            assert call["error"] == "fatal: 403: your account is closed"
        assert (held_nano(hub), spent_nano(hub)) == (0, 0)
        vendors.answer(judging())
        assert hub.plan(PROMPT).status == "complete"


def test_a_vendor_that_only_fails_is_left_alone_and_tried_again(vendors: Vendors) -> None:
    """Its breaker opens, requests are answered without asking it, and one probe closes it."""
    vendors.openai.answers(Reply("down", status=500))
    config = configured(vendors, models=(GPT, CLAUDE))
    with Planhub.open(config) as hub:
        until(lambda: hub.plan(PROMPT, primary_model_id=GPT) and not pool(hub, "openai").available)
        seen = len(vendors.openai.calls)
        assert hub.plan(PROMPT, primary_model_id=GPT).negotiated_model == CLAUDE
        assert len(vendors.openai.calls) == seen
        states = {state.model.id: state for state in hub.models()}
        assert "breaker open" in states[GPT].why
        assert states[CLAUDE].available
        vendors.openai.answers(judging())
        assert until(lambda: _answered_by(hub, "openai")).status == "complete"
        assert pool(hub, "openai").breaker == "closed"
