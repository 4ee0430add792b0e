"""A bug in a dialect, at the worst moment: calls on the wire, calls in the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.protocol import CallAnswered, CallErrored, CallVendor
from runtime import Planhub
from runtime.dialects.anthropic import AnthropicDialect
from runtime.testing import Reply, judging
from runtime.transport.port import HttpResponse
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PATIENCE_S,
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

ON_THE_WIRE, IN_THE_LINE = 2, 4


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Decoding raises once; whose call it was is noted."""
    met: list[str] = []
    decode = AnthropicDialect.decode

    def decode_or_raise(
        self: AnthropicDialect, call: CallVendor, response: HttpResponse
    ) -> CallAnswered | CallErrored:
        if not met:
            met.append(call.id)
            raise ZeroDivisionError("a bug")
        return decode(self, call, response)

    monkeypatch.setattr(AnthropicDialect, "decode", decode_or_raise)
    return met


def test_a_bug_in_a_dialect_restarts_its_pool_alone(
    vendors: Vendors, bug: list[str], tmp_path: Path
) -> None:
    """What was queued is served, what was on the wire is answered elsewhere, the books balance."""
    replies = iter([Reply("read by the bug"), Reply(fault="hang")])
    vendors.anthropic.answers(lambda call: next(replies, judging()(call)))
    vendors.anthropic.hold()
    config = configured(vendors, models=(GPT, CLAUDE), provider={"max_concurrency": ON_THE_WIRE})
    with Planhub.open(config, database=tmp_path / "planhub.db") as hub:
        futures = [
            hub.submit(PROMPT, primary_model_id=CLAUDE) for _ in range(ON_THE_WIRE + IN_THE_LINE)
        ]
        assert until(lambda: pool(hub, "anthropic").waiting == IN_THE_LINE)
        assert vendors.anthropic.wait_for(calls=ON_THE_WIRE, timeout=PATIENCE_S)
        vendors.anthropic.release()
        results = [future.result(PATIENCE_S) for future in futures]

        assert hub.engine.system.restarts == 1
        assert len(bug) == 1
        by_provider = sorted(result.calls[-1].provider for result in results)
        assert by_provider == ["anthropic"] * IN_THE_LINE + ["openai"] * ON_THE_WIRE
        assert {result.status for result in results} == {"complete"}

        failed = [call for result in results for call in result.calls if call.status == "failed"]
        assert [call.provider for call in failed] == ["anthropic"] * ON_THE_WIRE
        assert all(call.error and call.error.startswith("crashed") for call in failed)
        assert all(call.estimated and call.cost_usd > 0 for call in failed)

        paid = sum(nano(call.cost_usd) for result in results for call in result.calls)
        assert sum(nano(result.cost.spent_usd) for result in results) == paid
        assert (spent_nano(hub), held_nano(hub)) == (paid, 0)
        assert until(lambda: is_at_rest(hub, "anthropic"))
        assert is_at_rest(hub, "openai")
        accounts = hub.ledger()
        assert (accounts.unknown_settlements, accounts.overruns) == (0, 0)

        again = hub.plan(PROMPT, primary_model_id=CLAUDE)
        assert [call.provider for call in again.calls] == ["anthropic"]
    assert len(vendors.anthropic.calls) == ON_THE_WIRE + IN_THE_LINE + 1
    assert len(vendors.openai.calls) == ON_THE_WIRE


def test_a_dialect_that_always_raises_costs_its_vendor_only(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go on being answered by the other one."""

    def decode(self: AnthropicDialect, call: CallVendor, response: HttpResponse) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(AnthropicDialect, "decode", decode)
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        for _ in range(4):
            result = hub.plan(PROMPT, primary_model_id=CLAUDE)
            assert (result.status, result.negotiated_model) == ("complete", GPT)
            assert (held_nano(hub), hub.engine.system.ended) == (0, False)
        assert is_at_rest(hub, "openai")


def test_a_dialect_that_cannot_write_a_request_fails_over(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing reached the vendor."""

    def encode(self: AnthropicDialect, call: CallVendor, **_: Any) -> Any:
        raise KeyError("a bug")

    monkeypatch.setattr(AnthropicDialect, "encode", encode)
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        result = hub.plan(PROMPT, mode="adversarial", primary_model_id=CLAUDE)
        assert (result.negotiated_model, held_nano(hub)) == (GPT, 0)
    assert vendors.anthropic.calls == ()


def test_a_bug_while_voting(vendors: Vendors, bug: list[str]) -> None:
    """The voter that meets it is asked once more, in sight of whoever pays for it."""
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, mode="vote", voter_model_ids=[GPT, "gpt-light", CLAUDE])
        assert (held_nano(hub), spent_nano(hub)) == (0, nano(result.cost.spent_usd))
    assert result.status == "complete"
    claudes = [(call.attempt, call.status) for call in result.calls if call.model == CLAUDE]
    assert claudes == [(1, "failed"), (2, "ok")]
    assert len(result.response["responses"]) == 3
    assert result.cost.calls == len(vendors.calls) == 5
    assert len(bug) == 1
