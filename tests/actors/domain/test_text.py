"""Texts that models write: what is visible of them, and what JSON they hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.text import clipped, json_in, normalised, tidied, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain ", "plain "),
        ("<think>a</think>b", "b"),
        ("<think>\na\n</think>\n\nb", "b"),
        ("x <THINK>a</THINK> y", "x  y"),
        ("<thinking>a</thinking>b", "b"),
        ("<think>never closed", ""),
        ("b<think>never closed", "b"),
        ("a, opened elsewhere</think>b", "b"),
        ("<think>a</think>b</think>c", "b</think>c"),
        ("<think>a<think>b</think>c", "c"),
        ("<think>a</think>b<think>c</think>d", "bd"),
        ("a < b > c", "a < b > c"),
        ("", ""),
    ],
)
def test_hidden_reasoning_is_not_seen(text: str, seen: str) -> None:
    """Closed, unclosed, opened by the server, several; other text is left as it is."""
    assert visible(text) == seen


def test_reading_is_linear() -> None:
    """A hundred thousand tags or brackets are no attack."""
    assert visible("<think>" * 100_000) == ""
    assert visible("<think></think>" * 50_000) == ""
    assert json_in("{" * 100_000) is None
    assert json_in("[" * 100_000) is None
    assert json_in("```\n" * 100_000) is None
    assert tidied("a" + " " * 100_000 + "b").endswith("b")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("  [1, 2]\n", "[1, 2]"),
        ('"text"', '"text"'),
        ("true", "true"),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('Sure!\n```\n{"a": 1}\n```\nDone.', '{"a": 1}'),
        ('Like {"a": 1} or {"a": 1, "b": [2]}.', '{"a": 1, "b": [2]}'),
        ('```json\n{"code": "```py\\n```"}\n```', '{"code": "```py\\n```"}'),
        ('<think>{"no": 1}</think>{"a": 1}', '{"a": 1}'),
        ("no json", None),
        ('{"a": 1', None),
        ('{"a": NaN}', None),
        ('{"a": "\\ud800"}', None),
        ("{'a': 1}", None),
        ("", None),
    ],
)
def test_the_json_of_an_answer_is_found(text: str, found: str | None) -> None:
    """Bare, fenced, or the longest value in prose; strictly JSON, as it was written."""
    assert json_in(text) == found


@given(st.text(max_size=60), st.text(max_size=60))
def test_json_survives_any_wrapping(before: str, after: str) -> None:
    """Whatever is found can be decoded, and nothing makes the search fail."""
    found = json_in(f'{before}```json\n{{"key": [1, 2, 3]}}\n```{after}')
    assert found is None or json.loads(found) is not ...


def test_equal_answers_are_told_whatever_their_look() -> None:
    """Case, punctuation and space do not count; signs alone do."""
    assert normalised(" **Yes!** ") == normalised("yes")
    assert normalised("4 2") != normalised("42")
    assert normalised("?") != normalised("!")


def test_texts_are_tidied_alike() -> None:
    """No trailing space, no invisible characters, no runs of empty lines; joiners stay."""
    assert tidied("a  \r\n\n\n\nb\u200b\U000e0041\x07 ") == "a\n\nb"
    assert tidied("می\u200cخواهم") == "می\u200cخواهم"


def test_what_is_clipped_says_so() -> None:
    """And what fits is left alone."""
    assert clipped("abc", 3) == "abc"
    assert clipped("abcdef", 3) == "abc… (3 characters more)"


def test_plain_ascii_is_tidied_as_any_other_text() -> None:
    """It has a faster way, which leaves out the same characters."""
    for text in (f"a{chr(code)}b" for code in range(128)):
        assert tidied(text) + "é" == tidied(text + "é")
