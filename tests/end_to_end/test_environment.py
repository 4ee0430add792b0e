"""A user with two keys in the environment, no file, and vendors as strict as the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import Planhub
from runtime.config import load
from runtime.testing import Reply, ScriptedVendor, judging
from tests.end_to_end.rig import CLAUDE, GPT, PROMPT, Vendors, configured
from tests.end_to_end.shell import Shell

SAMPLING = ("temperature", "top_p", "top_k")
FIXED = {f"claude-{name}-5-5": SAMPLING for name in ("opus", "sonnet", "haiku")}
"""Models whose sampling cannot be set, as their vendor documents."""


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with ScriptedVendor("openai") as openai, ScriptedVendor("anthropic", refuses=FIXED) as other:
        vendors = Vendors(openai, other)
        vendors.answer(judging())
        yield vendors


@pytest.fixture
def env(vendors: Vendors) -> dict[str, str]:
    """Each key is the one its vendor wants; the addresses lead to the scripted vendors."""
    return {
        "OPENAI_API_KEY": str(vendors.openai.api_key),
        "OPENAI_BASE_URL": vendors.openai.url,
        "ANTHROPIC_API_KEY": str(vendors.anthropic.api_key),
        "ANTHROPIC_BASE_URL": vendors.anthropic.url,
    }


def test_two_keys_are_all_it_takes(vendors: Vendors, env: dict[str, str], tmp_path: Path) -> None:
    """A plan, a critique of it by the other vendor, a refined plan: the answer is printed."""
    ran = Shell(tmp_path, **env).run("plan", PROMPT, "--mode", "adversarial")
    assert ran.returncode == 0, ran.stderr
    assert sorted(len(vendor.calls) for vendor in vendors) == [1, 2]
    (planner,) = (vendor for vendor in vendors if len(vendor.calls) == 2)
    assert ran.stdout.startswith(planner.calls[1].model)
    assert "simulated" not in ran.stdout + ran.stderr


def test_a_key_that_is_refused_is_said_and_never_shown(
    vendors: Vendors, env: dict[str, str], tmp_path: Path
) -> None:
    """In one line that says what to do."""
    ran = Shell(tmp_path, **env | {"OPENAI_API_KEY": "sk-wrong", "ANTHROPIC_API_KEY": ""}).run(
        "plan", PROMPT
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.splitlines()
    assert "401" in line
    assert "planhub check" in line
    assert "sk-wrong" not in line
    assert {call.headers["authorization"] for call in vendors.openai.calls} == {"Bearer sk-wrong"}
    assert vendors.anthropic.calls == ()


@pytest.fixture
def hub(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planhub]:
    monkeypatch.chdir(tmp_path)
    with Planhub.open(load(env=env)) as hub:
        yield hub


@pytest.mark.parametrize("mode", ["planning", "adversarial", "vote", "refine", "fuse"])
def test_the_vendors_take_every_request(vendors: Vendors, hub: Planhub, mode: str) -> None:
    """At the first try, though parameters are given that some models refuse to have set."""
    parameters = {"temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": "END"}
    result = hub.plan(PROMPT, mode=mode, parameters=parameters)
    assert (result.status, result.reasons) == ("complete", [])
    assert {call.status for call in result.calls} == {"ok"}
    assert len(result.calls) == len(vendors.calls)
    assert result.cost.spent_usd > 0
    assert result.cost.limit_usd == 1.0


@pytest.mark.parametrize("name", ["claude-opus", "claude-sonnet", "gpt-4", "gpt-3.5-turbo"])
def test_the_names_of_common_examples_work(hub: Planhub, name: str) -> None:
    """Each leads to a model of the vendor it is named after."""
    result = hub.plan(PROMPT, primary_model_id=name)
    assert result.routing_reason == "explicit-model"
    assert result.calls[0].provider == ("openai" if name.startswith("gpt") else "anthropic")


def test_a_vendor_that_is_down_does_not_matter(vendors: Vendors, hub: Planhub) -> None:
    vendors.anthropic.answers(Reply("overloaded", status=529))
    result = hub.plan(PROMPT, primary_model_id="claude-opus")
    assert result.calls[-1].provider == "openai"
    assert result.status == "complete"


def test_a_refused_parameter_is_learnt_from_the_vendor() -> None:
    """Once a model: the attempt costs nothing, and no later request carries it."""
    refuses = {GPT: ("presence_penalty",), CLAUDE: ("top_k",)}
    with (
        ScriptedVendor("openai", refuses=refuses) as openai,
        ScriptedVendor("anthropic", refuses=refuses) as anthropic,
    ):
        vendors = Vendors(openai, anthropic)
        with Planhub.open(configured(vendors)) as hub:
            for model, name in ((GPT, "presence_penalty"), (CLAUDE, "top_k")):
                first, second = (
                    hub.plan(PROMPT, primary_model_id=model, parameters={name: 1}) for _ in range(2)
                )
                attempts = [(call.model, call.status, call.cost_usd > 0) for call in first.calls]
                assert attempts == [(model, "failed", False), (model, "ok", True)]
                assert [call.status for call in second.calls] == ["ok"]
        assert ["presence_penalty" in call.body for call in openai.calls] == [True, False, False]
        assert ["top_k" in call.body for call in anthropic.calls] == [True, False, False]


def test_gemini_alone_serves_every_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own format, by its own names for the parameters, and at its price."""
    monkeypatch.chdir(tmp_path)
    with ScriptedVendor("gemini") as vendor:
        vendor.answers(judging())
        env = {"GEMINI_API_KEY": str(vendor.api_key), "GEMINI_BASE_URL": vendor.url}
        with Planhub.open(load(env=env)) as hub:
            parameters = {"temperature": 0.3, "top_p": 0.9, "seed": 2**40, "stop": "END"}
            result = hub.plan(PROMPT, mode="vote", parameters=parameters)
            streamed = list(hub.stream(PROMPT))
    assert (result.status, result.reasons) == ("complete", [])
    assert result.response["judge_decided"]
    assert {call.status for call in result.calls} == {"ok"}
    assert len(vendor.calls) == len(result.calls) + 1
    assert result.cost.spent_usd > 0
    assert not result.cost.estimated
    assert vendor.calls[-1].streams
    assert [event for event in streamed if event["event"] == "text"]
