"""What is done to the texts that models write before anyone is shown them.

All of it is linear in the length of the text: what a model writes is not ours to trust.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import msgspec

_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, direction marks, tag characters; the joiners that scripts need are not among them."""
_UNSEEN_ASCII = bytes(filter(lambda code: _UNSEEN.match(chr(code)), range(128)))
_GAP = re.compile(r"\n{3,}")
_OPENING = re.compile(r"[{\[]")
_TRIES = 64
"""Opening brackets from which JSON is looked for in prose, before giving up."""

_PLAIN = json.JSONDecoder()


def visible(text: str) -> str:
    """The text without hidden reasoning: `<think>…</think>`, closed or not.

    A closing tag that nothing opened ends reasoning too: some servers keep the opening one.
    """
    if "<" not in text or not (tags := list(_TAG.finditer(text))):
        return text
    kept, position, thinking = [], 0, _closes(tags[0])
    for tag in tags:
        if thinking and _closes(tag):
            position, thinking = tag.end(), False
        elif not thinking and not _closes(tag):
            kept.append(text[position : tag.start()])
            thinking = True
    return "".join(kept if thinking else [*kept, text[position:]]).strip()


def json_in(text: str) -> str | None:
    """The JSON of an answer: the text itself, else what a fence holds, else the longest object or
    array in the prose.  None where there is none; hidden reasoning does not count.
    """
    shown = visible(text).strip()
    if _is_json(shown):
        return shown
    fenced = [block.strip() for block in _FENCE.findall(shown)]
    found = [block for block in fenced if _is_json(block)] or [
        part for start, end, _ in values_in(shown) if _is_json(part := shown[start:end])
    ]
    return max(found, key=len, default=None)


def values_in(text: str, decoder: json.JSONDecoder = _PLAIN) -> Iterator[tuple[int, int, Any]]:
    """The JSON objects and arrays in a text, outermost only, with where they start and end."""
    position = 0
    for _ in range(_TRIES):
        if (opening := _OPENING.search(text, position)) is None:
            return
        try:
            value, position = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
        else:
            yield opening.start(), position, value


def normalised(text: str) -> str:
    """A short answer reduced to what it says: for telling equal answers, not for showing."""
    return re.sub(r"\W+", " ", text.casefold()).strip() or text.strip()


def tidied(text: str) -> str:
    """One look for all: no trailing or invisible characters, no runs of empty lines."""
    plain = _without_unseen(unicodedata.normalize("NFC", text))
    lines = "\n".join([line.rstrip() for line in plain.split("\n")])
    return (_GAP.sub("\n\n", lines) if "\n\n\n" in lines else lines).strip()


def clipped(text: str, length: int) -> str:
    """At most `length` characters, saying how many were left out."""
    left_out = len(text) - length
    return text if left_out <= 0 else f"{text[:length]}… ({left_out} characters more)"


def _without_unseen(text: str) -> str:
    """Plain ASCII, as most answers are, has a way that costs a tenth."""
    if text.isascii():
        return text.encode().translate(None, _UNSEEN_ASCII).decode()
    return _UNSEEN.sub("", text)


def _closes(tag: re.Match[str]) -> bool:
    return bool(tag[1])


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return False
    return True
