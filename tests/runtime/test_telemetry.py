"""Logging: silent unless configured, one line a record."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from runtime import telemetry
from runtime.config import Log

NAMES = ("planhub", "uvicorn", "uvicorn.error")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate, logger.level = handlers, propagate, level


def test_plain_lines() -> None:
    out = io.StringIO()
    telemetry.configure(Log(), out)
    logging.getLogger("planhub.runs").info("run %s complete", "5f3c")
    logging.getLogger("planhub.runs").debug("not asked for")
    logging.getLogger("uvicorn.error").info("chatter")
    logging.getLogger("uvicorn.error").warning("trouble")
    first, second = out.getvalue().splitlines()
    assert first.endswith("Z INFO planhub.runs: run 5f3c complete")
    assert second.endswith("WARNING uvicorn.error: trouble")


def test_json_lines() -> None:
    """Each record is one line, a trace included."""
    out = io.StringIO()
    telemetry.configure(Log(level="debug", json=True), out)
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("planhub.http").exception("internal\nerror")
    (line,) = out.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == (
        "error", "planhub.http", "internal\nerror",
    )  # fmt: skip
    assert told["trace"].endswith("ValueError: no")


def test_configuring_again_replaces() -> None:
    first, second = io.StringIO(), io.StringIO()
    telemetry.configure(Log(), first)
    telemetry.configure(Log(), second)
    logging.getLogger("planhub").info("once")
    assert (first.getvalue(), second.getvalue().count("once")) == ("", 1)


def test_embedded_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even a warning reaches the host's terminal."""
    telemetry.be_silent()
    logging.getLogger("planhub.x").warning("hidden")
    assert capsys.readouterr().err == ""
