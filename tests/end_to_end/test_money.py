"""What a request costs, worked out a second time from what the vendors put on the wire."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.domain.model import Usage
from runtime import BudgetExceeded, PlanFuture, Planhub, PlanResult
from runtime.testing import RecordedCall, Reply, judging
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    MODELS,
    PATIENCE_S,
    PROMPT,
    Vendors,
    configured,
    held_nano,
    nano,
    spent_nano,
)

ROWS = {row["id"]: row for row in MODELS}


class Bills:
    """Answers with bodies written by hand, each with another usage, and remembers them."""

    def __init__(self, vendors: Vendors) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._numbers = itertools.count(1)
        self._judge = judging()
        for vendor in vendors:
            vendor.answers(getattr(self, f"_{vendor.dialect}"))

    def _openai(self, call: RecordedCall) -> Reply:
        n = next(self._numbers)
        cached, thought = 64 * n, 11 * n
        usage = {
            "prompt_tokens": 100 + n + cached,
            "completion_tokens": 20 + n + thought,
            "total_tokens": 120 + 2 * n + cached + thought,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": thought},
        }
        message = {"role": "assistant", "content": self._judge(call).text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return self._reply(call, {"choices": [choice], "usage": usage})

    def _anthropic(self, call: RecordedCall) -> Reply:
        n = next(self._numbers)
        usage = {
            "input_tokens": 100 + n,
            "cache_read_input_tokens": 128 * n,
            "cache_creation_input_tokens": 32 * n,
            "output_tokens": 20 + n,
        }
        content = [{"type": "text", "text": self._judge(call).text}]
        return self._reply(call, {"content": content, "stop_reason": "end_turn", "usage": usage})

    def _reply(self, call: RecordedCall, body: dict[str, Any]) -> Reply:
        self.sent.append((call.model, body["usage"]))
        return Reply(body=msgspec.json.encode(body))

    # --- the second opinion ---

    @property
    def nano(self) -> int:
        """Each bill in nano-USD, rounded up once, and then summed."""
        return sum(ceil(usd * 1_000_000_000) for usd in map(_usd, *zip(*self.sent, strict=True)))

    @property
    def tokens(self) -> dict[str, int]:
        classes = [_classes(usage) for _, usage in self.sent]
        return {name: sum(c[name] for c in classes) for name in classes[0]}


def _classes(usage: dict[str, Any]) -> dict[str, int]:
    """A vendor's usage in classes that do not overlap, but for reasoning, a part of output."""
    if "prompt_tokens" in usage:
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        return {
            "input_tokens": usage["prompt_tokens"] - cached,
            "cache_read_tokens": cached,
            "cache_write_tokens": 0,
            "output_tokens": usage["completion_tokens"],
            "reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
        }
    return {
        "input_tokens": usage["input_tokens"],
        "cache_read_tokens": usage["cache_read_input_tokens"],
        "cache_write_tokens": usage["cache_creation_input_tokens"],
        "output_tokens": usage["output_tokens"],
        "reasoning_tokens": 0,
    }


def _usd(model: str, usage: dict[str, Any]) -> Fraction:
    row, tokens = ROWS[model], _classes(usage)
    read = row.get("cache_read_usd_per_mtok", row["input_usd_per_mtok"])
    write = row.get(
        "cache_write_usd_per_mtok", Fraction("1.25") * _exact(row["input_usd_per_mtok"])
    )
    return (
        tokens["input_tokens"] * _exact(row["input_usd_per_mtok"])
        + tokens["cache_read_tokens"] * _exact(read)
        + tokens["cache_write_tokens"] * _exact(write)
        + tokens["output_tokens"] * _exact(row["output_usd_per_mtok"])
    ) / 1_000_000


def _exact(price: float | Fraction) -> Fraction:
    """The price as it is written, not as a float has it."""
    return Fraction(str(price))


@pytest.fixture(params=["in memory", "on disk"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "planhub.db" if request.param == "on disk" else None


@pytest.mark.parametrize("mode", ["planning", "adversarial", "vote", "refine", "fuse"])
@pytest.mark.parametrize("primary", [GPT, CLAUDE])
def test_a_run_costs_what_its_vendors_billed(
    vendors: Vendors, mode: str, primary: str, database: Path | None
) -> None:
    """To the nano-USD, with cached tokens in either vendor's convention counted once."""
    bills = Bills(vendors)
    with Planhub.open(configured(vendors), database=database) as hub:
        result = hub.plan(PROMPT, mode=mode, primary_model_id=primary)
        assert nano(result.cost.spent_usd) == bills.nano
        assert nano(result.estimated_cost_usd) == bills.nano
        assert sum(nano(call.cost_usd) for call in result.calls) == bills.nano
        assert (spent_nano(hub), held_nano(hub)) == (bills.nano, 0)
    assert not result.cost.estimated
    assert _tokens(result) == bills.tokens
    for call, (_, usage) in zip(_as_sent(result, bills), bills.sent, strict=True):
        assert {name: getattr(call, name) for name in bills.tokens} == _classes(usage)


def test_every_call_that_was_paid_is_in_the_cost(vendors: Vendors) -> None:
    """Answers that cannot be used, and errors that come with a usage, are billed like others."""
    refusal = {
        "choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 7, "total_tokens": 1_007},
    }
    vendors.openai.answers(Reply(body=msgspec.json.encode(refusal)))
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        result = hub.plan(PROMPT, primary_model_id=GPT)
        assert spent_nano(hub) == nano(result.cost.spent_usd)
    refused, answered = result.calls
    assert (refused.status, refused.error is not None and refused.error[:7]) == (
        "failed",
        "refused",
    )
    assert nano(refused.cost_usd) == ceil((1_000 * _exact(2.03) + 7 * _exact(10.07)) * 1_000)
    assert nano(result.cost.spent_usd) == nano(refused.cost_usd) + nano(answered.cost_usd)


def test_an_untold_usage_is_estimated(vendors: Vendors) -> None:
    """And the cost says that it is."""
    content = [{"type": "text", "text": "x" * 400}]
    body = {"content": content, "stop_reason": "end_turn"}
    vendors.anthropic.answers(Reply(body=msgspec.json.encode(body)))
    with Planhub.open(configured(vendors)) as hub:
        result = hub.plan(PROMPT, primary_model_id=CLAUDE)
    assert result.cost.estimated
    assert result.calls[0].estimated
    assert 100 <= result.usage.output_tokens <= 110
    assert result.cost.spent_usd > 0


def test_no_run_spends_more_than_its_limit(vendors: Vendors) -> None:
    """Nothing is sent that might; what fits is asked for fewer tokens, and says so."""
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        with pytest.raises(BudgetExceeded):
            hub.plan(PROMPT, max_budget_usd=0.000_001)
        assert vendors.calls == ()
        result = hub.plan(PROMPT, primary_model_id=GPT, max_budget_usd=0.005)
    (call,) = vendors.openai.calls
    assert 64 <= call.body["max_tokens"] < 500
    assert result.calls[0].clamped
    assert "clamped" in result.reasons
    assert result.cost.limit_usd == 0.005
    assert 0 < result.cost.spent_usd <= 0.005


def test_an_installations_month_is_shared_by_all_its_runs(vendors: Vendors) -> None:
    """However many ask at once, what was spent and what is held stay below it."""
    vendors.openai.answers(
        lambda call: Reply(usage=Usage(input=50, output=min(300, call.body["max_tokens"])))
    )
    month = 0.02
    config = configured(vendors, models=(GPT,), defaults={"monthly_budget_usd": month})
    with Planhub.open(config) as hub:
        futures = [hub.submit(PROMPT, parameters={"max_tokens": 500}) for _ in range(30)]
        ended = [_ended(future) for future in futures]
        answered = [end for end in ended if isinstance(end, PlanResult)]
        spent = sum(nano(result.cost.spent_usd) for result in answered)
        assert (spent_nano(hub), held_nano(hub)) == (spent, 0)
    assert nano(month) / 2 < spent <= nano(month)
    assert len(vendors.openai.calls) == len(answered) < 30
    limits = [
        end.cost["limit_usd"] for end in ended if isinstance(end, BudgetExceeded) and end.cost
    ]
    assert limits == [month] * (30 - len(answered))


def _ended(future: PlanFuture) -> PlanResult | BudgetExceeded:
    try:
        return future.result(PATIENCE_S)
    except BudgetExceeded as error:
        return error


def _tokens(result: PlanResult) -> dict[str, int]:
    return {
        name: getattr(result.usage, name)
        for name in (
            "input_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
        )
    }


def _as_sent(result: PlanResult, bills: Bills) -> list[Any]:
    """The result's calls in the order in which the vendors answered them."""
    left = list(result.calls)
    ordered = []
    for model, _ in bills.sent:
        call = next(call for call in left if call.model == model)
        left.remove(call)
        ordered.append(call)
    return ordered
