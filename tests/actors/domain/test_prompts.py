"""Conversations are extended whole, and shown to models as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain import prompts

TALK = [{"role": "system", "content": "S"}, {"role": "user", "content": 'Ünïcode "quoted"'}]
SCHEMA = b'{"type":"object"}'


def encoded(value: Any, **how: Any) -> bytes:
    return json.dumps(value, **how).encode()


@pytest.mark.parametrize("how", [{}, {"indent": 2}, {"ensure_ascii": False}])
def test_turns_are_appended_and_prepended(how: dict[str, Any]) -> None:
    """Whatever the spacing, and with the old turns' bytes untouched."""
    messages = b" " + encoded(TALK, **how) + b"\n"
    longer = prompts.append(messages, ("assistant", "A"), ("user", 'B\n"'))
    assert json.loads(longer) == [
        *TALK,
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": 'B\n"'},
    ]
    assert messages.strip()[1:-1] in longer
    assert json.loads(prompts.prepend(messages, ("system", "P")))[1:] == TALK


def test_an_empty_conversation_can_be_begun() -> None:
    """The first turn needs no comma before it."""
    assert json.loads(prompts.append(b"[]", ("user", "Q"))) == [{"role": "user", "content": "Q"}]
    assert json.loads(prompts.append(b"[ ]", ("user", "Q"))) == [{"role": "user", "content": "Q"}]


def test_no_turn_is_without_text() -> None:
    """Vendors refuse an empty message, and hidden reasoning may be all there was."""
    turns = json.loads(prompts.improvement(encoded(TALK), "<think>only", None))
    assert turns[2] == {"role": "assistant", "content": "(empty)"}


def test_a_transcript_has_every_message_under_its_role() -> None:
    """Parts are joined."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    talk = [*TALK, {"role": "assistant", "content": parts}]
    assert prompts.transcript(encoded(talk)) == (
        'system:\nS\n\nuser:\nÜnïcode "quoted"\n\nassistant:\na\nb'
    )


def test_a_question_without_schema_is_sent_as_it_came() -> None:
    """Not a byte is added."""
    messages = encoded(TALK, indent=3)
    assert prompts.question(messages, None) is messages


@pytest.mark.parametrize(
    "built",
    [
        prompts.question(encoded(TALK), SCHEMA),
        prompts.refinement(encoded(TALK), "{}", "bad {braces}", SCHEMA),
        prompts.improvement(encoded(TALK), "{}", SCHEMA),
        prompts.critique(encoded(TALK), "{}", SCHEMA),
        prompts.repair(encoded(TALK), "{}", ["$: wrong"], SCHEMA),
    ],
)
def test_every_prompt_tells_the_wanted_form(built: bytes) -> None:
    """And keeps the conversation in it, in its order."""
    turns = json.loads(built)
    assert SCHEMA.decode() in json.dumps([turn["content"] for turn in turns]).replace('\\"', '"')
    start = turns.index(TALK[0])
    assert turns[start : start + 2] == TALK


def test_a_repair_lists_the_problems() -> None:
    """One to a line, after the answer that has them."""
    *_, answer, request = json.loads(prompts.repair(encoded(TALK), "x", ["one", "two"], SCHEMA))
    assert answer == {"role": "assistant", "content": "x"}
    assert "- one\n- two" in request["content"]
