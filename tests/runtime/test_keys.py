"""API keys: shown once, checked in memory, ended beside a running server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from actors.errors import Forbidden, RateLimited, Unauthorized
from runtime.keys import LOOK_AGAIN_S, KeyBook, KeyProblem, KeyRing
from runtime.storage.database import connect


class Clock:
    """Wall and monotonic time that stand still until moved."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0

    def __call__(self) -> float:
        return self.time


class Place:
    """A database with its keys, one who writes them and one who checks them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.book = KeyBook(self.connect, self.clock)
        self.ring = KeyRing(partial(connect, path, read_only=True), self.clock, self.clock)

    def connect(self) -> sqlite3.Connection:
        return connect(self.path)

    def look_again(self) -> None:
        self.clock.time += LOOK_AGAIN_S


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "planhub.db")
    yield place
    place.ring.close()


def test_a_key_is_shown_once_and_never_stored(place: Place) -> None:
    """256 random bits; the database knows their SHA-256 and nothing more."""
    key, text = place.book.create("ci", limit_nano=5, requests_per_minute=9)
    assert text.startswith("planhub_")
    assert len(bytes.fromhex(text.removeprefix("planhub_"))) == 32
    assert text.encode() not in place.path.read_bytes()
    assert place.book.all() == (key,)
    assert place.ring.admit(text, "plan") == key


def test_without_any_key_none_is_asked_for(place: Place) -> None:
    """From the first one on they are, and stay, even when all are revoked."""
    assert not place.ring.required
    place.book.create("ci")
    place.book.revoke("ci")
    place.look_again()
    assert place.ring.required


@pytest.mark.parametrize("presented", [None, "", "planhub_", "planhub_" + "0" * 64, "x" * 72])
def test_a_wrong_key(place: Place, presented: str | None) -> None:
    place.book.create("ci")
    with pytest.raises(Unauthorized, match="missing or invalid api key"):
        place.ring.admit(presented, "plan")


def test_scopes(place: Place) -> None:
    """Empty scopes mean all but `admin`."""
    _, everything = place.book.create("all")
    _, chat = place.book.create("chat", scopes=("chat",))
    _, admin = place.book.create("admin", scopes=("admin", "plan"))
    assert place.ring.admit(everything, "plan").may("chat")
    assert place.ring.admit(admin, "admin").name == "admin"
    for text, scope in ((everything, "admin"), (chat, "plan"), (admin, "chat")):
        with pytest.raises(Forbidden, match="scope not allowed"):
            place.ring.admit(text, scope)  # type: ignore[arg-type]


def test_a_key_that_is_revoked_ends_within_two_seconds(place: Place) -> None:
    """Another process revokes it; the ring looks again when the file has changed."""
    _, text = place.book.create("ci")
    place.ring.admit(text, "plan")
    place.book.revoke("ci")
    place.look_again()
    with pytest.raises(Unauthorized):
        place.ring.admit(text, "plan")


def test_a_new_key_is_known_as_soon(place: Place) -> None:
    place.book.create("one")
    assert place.ring.required
    _, text = place.book.create("two")
    place.look_again()
    assert place.ring.admit(text, "plan").name == "two"


def test_the_database_is_left_alone_in_between(place: Place) -> None:
    """A key is checked in memory: the file may even be gone."""
    _, text = place.book.create("ci")
    place.ring.admit(text, "plan")
    place.ring.close()
    assert place.ring.admit(text, "plan")


def test_rotation_keeps_everything_but_the_text(place: Place) -> None:
    """The old text ends at once; name, limits and spending stay with the id."""
    key, old = place.book.create("ci", limit_nano=7)
    rotated, new = place.book.rotate("ci")
    assert rotated == key
    assert place.ring.admit(new, "plan").limit_nano == 7
    with pytest.raises(Unauthorized):
        place.ring.admit(old, "plan")


def test_expiry(place: Place) -> None:
    """To the second, without looking at the database."""
    _, text = place.book.create("ci", expires_at=place.clock.time + 0.5)
    assert place.ring.admit(text, "plan")
    place.clock.time += 0.5
    with pytest.raises(Unauthorized):
        place.ring.admit(text, "plan")


def test_the_rate_of_a_key(place: Place) -> None:
    """So many at once, then one for each share of the minute; a refusal says when to come back."""
    key, _ = place.book.create("ci", requests_per_minute=2)
    place.ring.count(key)
    place.ring.count(key)
    with pytest.raises(RateLimited) as caught:
        place.ring.count(key)
    assert caught.value.retry_after_s == pytest.approx(30.0)
    place.clock.time += 30.0
    place.ring.count(key)
    unlimited, _ = place.book.create("free")
    for _ in range(100):
        place.ring.count(unlimited)


def test_names_are_told_apart(place: Place) -> None:
    """One live key of a name; a revoked one's name may be used again."""
    place.book.create("ci")
    with pytest.raises(KeyProblem, match="there is a key named ci already"):
        place.book.create("ci")
    place.book.revoke("ci")
    key, _ = place.book.create("ci")
    assert place.book.revoke(key.id) == key
    with pytest.raises(KeyProblem, match="no key ci"):
        place.book.rotate("ci")
    assert len(place.book.all()) == 2
