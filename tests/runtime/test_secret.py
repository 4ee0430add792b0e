"""A secret shows itself only when asked to."""

from __future__ import annotations

import pickle

import pytest

from runtime.secret import Secret
from runtime.vendors import VendorConnection


def test_a_secret_is_shown_nowhere() -> None:
    """Not printed, not formatted, not in what holds it, not written down."""
    secret = Secret("sk-123")
    connection = VendorConnection("openai", api_key=secret)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>9}", repr(connection)):
        assert "sk-123" not in shown
        assert "***" in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_is_revealed_without_the_space_around_it() -> None:
    """Keys are pasted with a newline."""
    assert Secret(" sk-123\n").reveal() == "sk-123"
    assert Secret(" sk-123\n") == Secret("sk-123")
    assert Secret("sk-123") != Secret("sk-124")
    assert Secret("sk-123") != "sk-123"
    assert not Secret(" ")


def test_redacting_blots_out_the_key() -> None:
    """Every occurrence; and an empty key leaves a text alone."""
    assert Secret("sk-1").redact("sk-1 is not sk-12") == "*** is not ***2"
    assert Secret("").redact("text") == "text"
