"""What a person sees of a run: progress while it goes, a summary when it has ended."""

from __future__ import annotations

import io
import re
from typing import Any

import msgspec
import pytest
from rich.console import Console

from runtime.cli import terminal
from runtime.cli.app import HELP
from runtime.cli.progress import Progress
from runtime.cli.summary import summarise
from runtime.config.settings import VENDORS
from runtime.frontends.wire import PlanResult


def entry(role: str, model: str, **fields: Any) -> dict[str, Any]:
    return {
        "role": role, "model": model, "provider": "p", "status": "ok", "attempt": 1,
        "started_ms": 0.0, "latency_ms": 1234.0, "cost_usd": 0.0031, "input_tokens": 1200,
        "output_tokens": 310, **fields,
    }  # fmt: skip


def result(response: dict[str, Any], **fields: Any) -> PlanResult:
    calls = [entry("voter", "gpt"), entry("judge", "opus", status="failed", error="timeout")]
    body = {
        "id": "5f3c", "negotiated_model": "gpt", "estimated_cost_usd": 0.0062,
        "routing_reason": "vote-orchestration", "response": response, "calls": calls,
        "cost": {"spent_usd": 0.0062, "limit_usd": 1.0, "estimated": True, "calls": 2}, **fields,
    }  # fmt: skip
    return PlanResult.from_json(msgspec.json.encode(body))


VOTE: dict[str, Any] = {
    "responses": [
        {"model": "gpt", "content": "\n# An API [bold]for[/] tasks\nmore", "selected": True},
        {"model": "mini", "content": "\x1b]0;owned\x07Another " + "word " * 50, "selected": False},
    ],
    "selected": 0,
    "judge": "opus",
    "judge_decided": True,
    "reason": "Beside responses[1] it covers errors\nand paging; responses[9]?",
    "failed": [{"model": "broken", "error": "timeout"}],
}


def shown(told: PlanResult, simulated: bool = False) -> str:
    out = io.StringIO()
    summarise(Console(file=out, width=100, highlight=False), told, simulated=simulated)
    return out.getvalue()


def test_a_vote_is_told_whole() -> None:
    """Candidates, who failed, the verdict with its reason, every call, the cost of all."""
    text = shown(result(VOTE))
    assert "→ gpt        6 words  An API" in text
    assert "An API [bold]for[/] tasks" in text
    assert "✗ broken  timeout" in text
    assert "opus chose gpt" in text
    assert "Beside mini it covers errors and paging; responses[9]?" in text
    assert "1,200 → 310 tokens" in text
    assert "about $0.0062 of $1.00 · 2 calls · 1.2 s · complete" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_fused_answer_is_told_whole() -> None:
    """Of whose answers it was made and by whom; or whose is returned, and why."""
    responses = [{"model": entry["model"], "content": "Words."} for entry in VOTE["responses"]]
    fused = {"fused_response": "x", "responses": responses, "selected": None, "reason": None}
    text = shown(result(fused | {"model": "gpt", "failed": VOTE["failed"]}))
    assert "mini    " in text
    assert "✗ broken  timeout" in text
    assert "made of them by gpt" in text
    lost = {"fused_response": None, "selected": 0, "reason": "chosen because 2 of 3 answers agree"}
    text = shown(result(fused | lost))
    assert "nobody could fuse them: gpt" in text
    assert "2 of 3 answers agree" in text


def test_candidates_are_told_apart() -> None:
    """What all of them say is left out of their excerpts."""
    responses = [
        {"model": name, "content": f"Hello!\n\n- {name} first", "selected": name == "gpt"}
        for name in ("gpt", "mini")
    ]
    text = shown(result(VOTE | {"responses": responses}))
    assert "- mini first" in text
    assert "Hello!" not in text


def test_a_model_cannot_write_to_the_terminal() -> None:
    """Control characters of an answer do not reach it."""
    assert "\x1b" not in shown(result(VOTE))
    assert terminal.printable("a\x1b[2J\x07b\n\tc\u202e") == "a[2Jb\n\tc"


def test_a_rule_is_not_sold_as_a_verdict() -> None:
    vote = VOTE | {"judge": None, "judge_decided": False, "reason": "the judge found a tie"}
    text = shown(result(vote, reasons=["judge_tie"], status="complete"))
    assert "by rule: gpt" in text
    assert "judge_tie" in text


def test_other_modes_say_who_answered() -> None:
    text = shown(result({"refined_response": "x"}, routing_reason="refine-orchestration"))
    assert "Answered by  gpt (refine-orchestration)" in text


def test_simulation_is_said_plainly() -> None:
    """With every vendor's key that would bring real answers, here and in the help."""
    said = " ".join(shown(result(VOTE), simulated=True).split())
    assert "These answers are simulated" in said
    assert all(key in said and key in HELP for _, key in VENDORS.values())
    assert "simulated" not in shown(result(VOTE))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.0031, "$0.0031"), (0.00000512, "$0.000005"), (12.3, "$12.30")],
)
def test_amounts_show_what_matters(amount: float, text: str) -> None:
    assert terminal.usd(amount) == text


# --- progress ---------------------------------------------------------------------------------


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "run": "r", "role": "voter", "provider": "p", "attempt": 1, **fields}


def test_progress_has_a_line_per_call() -> None:
    """Running, answered and failed calls are told apart; two alike are not confused."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with Progress(console) as progress:
        progress.show({"event": "run_started", "run": "r", "mode": "vote"})
        for model in ("gpt", "gpt", "mini"):
            progress.show(event("call_started", model=model))
        progress.show(event("call_finished", model="gpt", status="ok", cost_usd=0.25))
        progress.show(event("call_failed", model="mini", error="timeout"))
        console.print(progress._render())
    text = out.getvalue()
    assert "vote: 2 of 3 calls answered" in text
    assert "$0.25" in text
    assert "timeout" in text


def test_where_nobody_watches_nothing_is_drawn() -> None:
    """Nor asked for: an answer that nobody sees come need not be streamed."""
    out = io.StringIO()
    with Progress(Console(file=out)) as progress:
        assert progress.on_event is None
        progress.show(event("call_started", model="gpt"))
    assert out.getvalue() == ""


def test_the_answer_is_shown_as_far_as_it_is_written() -> None:
    """Its last lines, those that fit; what is void is gone; no control characters."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, height=10)
    with Progress(console) as progress:
        assert progress.on_event == progress.show
        progress.show(event("call_started", model="gpt"))
        progress.show({"event": "text", "text": "void"})
        progress.show({"event": "text_reset"})
        for line in range(30):
            progress.show({"event": "text", "text": f"line {line}\x1b]0;renamed\n"})
        with console.capture() as drawn:
            console.print(progress._render())
    assert "void" not in drawn.get()
    assert "\x1b]0;" not in drawn.get()
    shown = re.findall(r"line (\d+)", drawn.get())
    assert shown == [str(line) for line in range(30 - len(shown), 30)]
    assert 3 <= len(shown) <= 7
