"""A key that cannot be shown by accident."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn, final


@final
class Secret:
    """A vendor's API key.  Only :meth:`reveal` shows it: not `repr`, `str`, a format or a pickle.

    White space around it is dropped: keys are pasted into environments with a newline.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value.strip()

    def reveal(self) -> str:
        """The key itself, for the one header it belongs into."""
        return self._value

    def redact(self, text: str) -> str:
        """`text` with every occurrence of the key blotted out."""
        return text.replace(self._value, "***") if self._value else text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")
