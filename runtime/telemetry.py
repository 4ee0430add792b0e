"""Logging: the standard library's, under `planhub.*`.

Embedded, planhub is silent unless its host configures logging; `planhub serve` configures it from
`[log]`.  What is logged names runs, models and amounts, never a prompt, an answer, a header or a
key.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from runtime.config import Log

ROOT = "planhub"
_SERVER_LOGGERS = ("uvicorn", "uvicorn.error")


def be_silent() -> None:
    """Keeps the standard library from printing warnings that no host asked for."""
    logger = logging.getLogger(ROOT)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def configure(log: Log, stream: TextIO | None = None) -> None:
    """Logs to `stream`, standard error by default, one line a record; again to change it."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if log.json else PlainLines())
    handler.addFilter(_without_chatter)
    for name in (ROOT, *_SERVER_LOGGERS):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(log.level.upper())


def _without_chatter(record: logging.LogRecord) -> bool:
    """Of the HTTP server only what goes wrong is of interest."""
    return record.name.startswith(ROOT) or record.levelno >= logging.WARNING


class PlainLines(logging.Formatter):
    """`2026-11-23T01:02:03.456Z INFO planhub.runs: …`"""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_at(record)} {record.levelname} {record.name}: {record.getMessage()}"
        return f"{line}\n{trace}" if (trace := self._trace(record)) else line

    def _trace(self, record: logging.LogRecord) -> str | None:
        return self.formatException(record.exc_info) if record.exc_info else None


class JsonLines(PlainLines):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and a `trace` of an error."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := self._trace(record):
            told["trace"] = trace
        import msgspec

        return msgspec.json.encode(told).decode()


def _at(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")
