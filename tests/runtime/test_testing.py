"""The scripted vendor: what it refuses, what it answers, and that nothing is left of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest

from actors.domain import ballots
from runtime.testing import RecordedCall, Reply, ScriptedVendor, judging

OPENAI = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}
ANTHROPIC = {**OPENAI, "max_tokens": 5}


def post(vendor: ScriptedVendor, body: Any, **headers: str) -> httpx.Response:
    path = "/chat/completions" if vendor.dialect == "openai" else "/v1/messages"
    usual = {
        "authorization": "Bearer test-key",
        "x-api-key": "test-key",
        "anthropic-version": "2023-06-01",
    }
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**usual, **given}.items() if value}
    return httpx.post(vendor.url + path, json=body, headers=sent, trust_env=False, timeout=10)


@pytest.fixture
def openai() -> Any:
    with ScriptedVendor("openai", refuses={"picky": ["top_p"]}) as vendor:
        yield vendor


@pytest.fixture
def anthropic() -> Any:
    with ScriptedVendor("anthropic", refuses={"picky": ["top_k"]}) as vendor:
        yield vendor


def test_a_good_request_is_echoed_and_recorded(
    openai: ScriptedVendor, anthropic: ScriptedVendor
) -> None:
    """Each in its own format, with usage."""
    said = post(openai, OPENAI).json()
    assert said["choices"][0]["message"]["content"] == "gpt-4 on: Hi"
    assert said["usage"]["total_tokens"] > 0
    said = post(anthropic, ANTHROPIC).json()
    assert said["content"] == [{"type": "text", "text": "gpt-4 on: Hi"}]
    assert said["usage"]["output_tokens"] > 0
    assert [call.body for call in openai.calls] == [OPENAI]
    assert anthropic.calls[0].headers["anthropic-version"] == "2023-06-01"
    assert anthropic.calls[0].path == "/v1/messages"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": ""}, None),
        ({"messages": []}, "empty_array"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "invalid_value"),
        ({"messages": [{"role": "user"}]}, "invalid_type"),
        ({"top_k": 5}, "unknown_parameter"),
        ({"temperature": 3}, "decimal_above_max_value"),
        ({"max_tokens": 0}, "integer_below_min_value"),
        ({"model": "o3", "max_tokens": 5}, "unsupported_parameter"),
        ({"model": "gpt-5", "temperature": 0.2}, "unsupported_value"),
        ({"model": "picky", "top_p": 0.5}, "unsupported_parameter"),
    ],
)
def test_openai_refuses_what_openai_refuses(
    openai: ScriptedVendor, change: dict[str, Any], code: str | None
) -> None:
    """With its status and its code."""
    refused = post(openai, {**OPENAI, **change})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
        ({"messages": [{"role": "tool", "content": "x"}]}, "Input should be"),
        ({"messages": [{"role": "user", "content": " "}]}, "non-empty content"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message"),
        ({"seed": 1}, "seed: Extra inputs are not permitted"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": 1, "top_p": 1}, "cannot both"),
        ({"model": "picky", "top_k": 5}, "`top_k` is deprecated"),
    ],
)
def test_anthropic_refuses_what_anthropic_refuses(
    anthropic: ScriptedVendor, change: dict[str, Any], message: str
) -> None:
    """With its words."""
    refused = post(anthropic, {**ANTHROPIC, **change})
    assert refused.status_code == 400
    assert message in refused.json()["error"]["message"]


def test_anthropic_needs_a_limit_and_a_version(anthropic: ScriptedVendor) -> None:
    """Both are required."""
    assert "Field required" in post(anthropic, OPENAI).text
    assert "header is required" in post(anthropic, ANTHROPIC, anthropic_version="").text


GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": GEMINI["contents"] * 2}, "alternate"),
        ({"contents": [{"role": "user", "parts": [{"text": ""}]}]}, "text parameter"),
        ({"messages": []}, 'Unknown name "messages"'),
        ({"generationConfig": {"top_p": 1}}, "Unknown name \"top_p\" at 'generation_config'"),
        ({"generationConfig": {"seed": 2**31}}, "TYPE_INT32"),
        ({"generationConfig": {"temperature": 2.5}}, "temperature"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "positive"),
        ({"generationConfig": {"topK": 3}}, "topK is not enabled"),
    ],
)
def test_gemini_refuses_what_gemini_refuses(change: dict[str, Any], message: str) -> None:
    with ScriptedVendor("gemini", refuses={"picky": ["topK"]}) as vendor:
        address = f"{vendor.url}/v1beta/models/picky:generateContent"
        headers = {"x-goog-api-key": "test-key"}
        refused = httpx.post(address, json=GEMINI | change, headers=headers, trust_env=False)
        assert httpx.post(address, json=GEMINI, headers=headers, trust_env=False).is_success
        assert httpx.post(address, json=GEMINI, trust_env=False).status_code == 400
    assert (refused.status_code, refused.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert message in refused.json()["error"]["message"]


def test_a_key_is_asked_for(openai: ScriptedVendor, anthropic: ScriptedVendor) -> None:
    """Missing and wrong alike; and a wrong address is not found."""
    assert post(openai, OPENAI, authorization="").status_code == 401
    assert post(openai, OPENAI, authorization="Bearer no").status_code == 401
    assert post(anthropic, ANTHROPIC, x_api_key="no").status_code == 401
    assert httpx.post(f"{openai.url}/v1/chat", json={}, trust_env=False).status_code == 404


def test_a_lax_vendor_takes_anything(openai: ScriptedVendor) -> None:
    """Even what is no JSON."""
    with ScriptedVendor(strict=False) as vendor:
        assert httpx.post(vendor.url, content=b"{", trust_env=False).status_code == 200


def test_replies_come_in_turn_and_then_the_default(openai: ScriptedVendor) -> None:
    """A function may decide as well."""
    openai.answers([Reply("a"), Reply("b", status=503), Reply(body=b"raw")])
    texts = [post(openai, OPENAI).text for _ in range(4)]
    assert '"content":"a"' in texts[0]
    assert '"message":"b"' in texts[1]
    assert texts[2] == "raw"
    assert "gpt-4 on: Hi" in texts[3]
    openai.answers(lambda call: Reply(call.last_text.upper()))
    assert '"content":"HI"' in post(openai, OPENAI).text


@pytest.mark.parametrize(("choose", "choice"), [(0, 2), (1, 0), ("tie", "tie"), ("none", "none")])
def test_it_can_be_a_judge(choose: int | str, choice: int | str) -> None:
    """By the place a candidate is shown at, or as it is told to choose; also when asked again."""
    question = msgspec.json.encode([{"role": "user", "content": "Which?"}])
    paper = next(
        paper
        for seed in range(100)
        if (paper := ballots.ballot(question, ["a", "b", "c"], seed)).order == (2, 0, 1)
    )
    again = ballots.repair(paper.messages, "eh?", paper.labels, "it is no JSON")
    for messages in (paper.messages, again):
        reply = judging(choose)(_recorded(messages))
        assert ballots.verdict(reply.text, paper.labels)[0] == choice
    assert judging()(_recorded(question)).text == "m on: Which?"


def _recorded(messages: bytes) -> RecordedCall:
    return RecordedCall("/", {}, {"model": "m", "messages": msgspec.json.decode(messages)})


def test_stopping_leaves_nothing() -> None:
    """No thread, no connection; not even of calls that hang."""
    threads = threading.active_count()
    vendor = ScriptedVendor().start()
    vendor.answers(Reply(fault="hang"))
    hung = threading.Thread(target=_post_in_vain, args=[vendor])
    hung.start()
    assert vendor.wait_for(calls=1, connections=1, timeout=10)
    assert repr(vendor) == "<ScriptedVendor openai: 1 calls, 1 connections>"
    vendor.stop()
    vendor.stop()
    hung.join()
    assert vendor.open_connections == 0
    assert threading.active_count() == threads


def _post_in_vain(vendor: ScriptedVendor) -> None:
    with pytest.raises(httpx.HTTPError):
        post(vendor, OPENAI)


def test_a_delayed_answer_is_not_sent_to_a_client_that_left(openai: ScriptedVendor) -> None:
    """Its connection is given up at once, not after the delay."""
    openai.answers(Reply(delay_s=60))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{openai.url}/chat/completions",
            json=OPENAI,
            headers={"authorization": "Bearer test-key"},
            trust_env=False,
            timeout=0.05,
        )
    assert openai.wait_for(calls=1, connections=0, timeout=10)


def test_answers_are_kept_back_until_they_are_released(openai: ScriptedVendor) -> None:
    """Of all that ask meanwhile; their calls are there to be seen."""
    openai.hold()
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(post, openai, OPENAI) for _ in range(2)]
        assert openai.wait_for(calls=2, timeout=10)
        assert not any(answer.done() for answer in waiting)
        openai.release()
        assert [answer.result(10).status_code for answer in waiting] == [200, 200]
    assert post(openai, OPENAI).status_code == 200
