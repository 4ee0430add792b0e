"""Candidates put before a reader who must not know who wrote them, nor obey what they say.

Each carries a label such as `K7Q`, drawn from a digest of the seed and the texts: nobody can know
one before all candidates are written, and a label that occurs in any of them is not used.  They
are shown in a rotation that the same digest picks.  Each stands in a fence that carries a key;
what looks like a fence inside is defused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import count

from msgspec import Struct

_ALPHABETS = tuple(
    bytes([alphabet[draw % len(alphabet)] for draw in range(256)])
    for alphabet in (b"BCDFGHJKLMNPQRSTVWXZ", b"23456789")
)
"""What a byte that is drawn stands for, in an even and in an odd place."""
_LOOKS_LIKE_FENCE = re.compile(r"<(?=\s*/?\s*(?:candidate|conversation)\b)", re.IGNORECASE)
_KEY_LENGTH = 16


class Fences(Struct, frozen=True, gc=False):
    """A conversation and candidate answers to it, fenced.

    `labels[i]` is candidate i's; `order` the candidates as they are shown, `candidates` their
    fences in that order.
    """

    key: str
    labels: tuple[str, ...]
    order: tuple[int, ...]
    conversation: str
    candidates: tuple[str, ...]

    @property
    def named(self) -> str:
        """The labels, in the order they are shown."""
        return ", ".join(self.labels[i] for i in self.order)


def fenced(
    conversation: str,
    texts: Sequence[str],
    seed: int,
    *,
    beside: Sequence[str] = (),
    turn: int = 0,
    reverse: bool = False,
) -> Fences:
    """Fences around `conversation` and around each of `texts`; no label occurs in what is shown
    `beside` them.

    Other readers of the same are shown it in another order, under other labels: rotated `turn`
    places further, or reversed.
    """
    nonce = _digest(str(seed), conversation, *texts).hex()
    order = _order(int(nonce, 16) + turn, len(texts), reverse=reverse)
    if turn or reverse:
        nonce = _digest(nonce, str(turn), str(reverse)).hex()
    key = nonce[:_KEY_LENGTH]
    labels = _labels(nonce, len(texts), [conversation, *beside, *texts])
    return Fences(
        key,
        labels,
        order,
        _fence("conversation", "", key, conversation),
        tuple(_fence("candidate", f' label="{labels[i]}"', key, texts[i]) for i in order),
    )


def defused(text: str) -> str:
    """The text, with nothing in it that looks like a fence."""
    return _LOOKS_LIKE_FENCE.sub("‹", text) if "<" in text else text


def _order(first: int, count: int, *, reverse: bool) -> tuple[int, ...]:
    order = tuple((first + place) % count for place in range(count))
    return order[::-1] if reverse else order


def _digest(*parts: str) -> bytes:
    told = [part.encode("utf-8", "surrogatepass") for part in parts]
    digest = hashlib.sha256(",".join([str(len(data)) for data in told]).encode())
    for data in told:  # one by one: what is long is hashed with the interpreter let go
        digest.update(data)
    return digest.digest()


def _labels(nonce: str, wanted: int, texts: Sequence[str]) -> tuple[str, ...]:
    """Labels that occur in no text.  They grow until there are enough, so this ends."""
    labels: list[str] = []
    taken = "\n".join(texts).lower()
    for label in _drawn(nonce):
        if len(labels) == wanted:
            break
        if label not in labels and not _occurs(label.lower(), taken):
            labels.append(label)
    return tuple(labels)


def _occurs(label: str, text: str) -> bool:
    """Its digit is looked for first: digits are rare, and one character is found at once."""
    return label[1] in text and label in text


def _drawn(nonce: str) -> Iterator[str]:
    """Labels without end, of three characters at first; a digest is enough for several."""
    for attempt in count():
        draws, length = _digest(nonce, str(attempt)), 3 + attempt // 8
        either = [draws.translate(alphabet).decode() for alphabet in _ALPHABETS]
        for start in range(0, len(draws) - length, length):
            yield "".join([either[place % 2][start + place] for place in range(length)])


def _fence(tag: str, attributes: str, key: str, text: str) -> str:
    inside = defused(text).replace(key, "…") or "(empty)"
    return f'<{tag}{attributes} key="{key}">\n{inside}\n</{tag} key="{key}">'
