"""What every request to a vendor carries, whatever the dialect."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    _VERSION = version("planhub")
except PackageNotFoundError:  # run from a source tree that was never installed
    _VERSION = "0"

COMMON_HEADERS: tuple[tuple[str, str], ...] = (
    ("accept", "application/json"),
    ("accept-encoding", "identity"),  # answers are small, and a compressed one could be a bomb
    ("content-type", "application/json"),
    ("user-agent", f"planhub/{_VERSION}"),
)
