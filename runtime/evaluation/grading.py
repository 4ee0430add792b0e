"""Is an answer right?"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from actors.domain.text import json_in, normalised, visible
from runtime.evaluation.items import Item

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
"""Of the environment: a checker runs what a model wrote past it, and needs no keys."""


class Grade(Struct, frozen=True):
    """`right` is None where nobody can tell, and `why` then says so."""

    right: bool | None
    why: str = ""


def grade(item: Item, text: str, folder: Path) -> Grade:
    """Compares, or runs the item's checker in `folder`, which may block for its `timeout_s`."""
    if item.checker is not None:
        return _checked(item.checker, text, item.timeout_s, folder)
    if item.value is not UNSET:
        return Grade(_is_value(text, item.value))
    shown = visible(text).strip()
    if item.reference is not None:
        wanted = normalised(item.reference)
        last = shown.splitlines()[-1] if shown else ""
        return Grade(wanted in (normalised(shown), normalised(last)))
    parts = [item.contains] if isinstance(item.contains, str) else item.contains or []
    said = f" {normalised(shown)} "
    return Grade(all(f" {normalised(part)} " in said for part in parts))


def _is_value(text: str, value: Any) -> bool:
    found = json_in(text)
    return found is not None and _same(msgspec.json.decode(found), value)


def _same(one: Any, other: Any) -> bool:
    """Numbers by their size, however they are written; true is no number."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
        case _:
            return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _checked(command: list[str], text: str, timeout_s: float, folder: Path) -> Grade:
    """Run without a shell, as the leader of its own processes: none of them outlives it."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=kept,
            start_new_session=True,
        )
    except OSError as error:
        return Grade(None, f"{command[0]}: {(error.strerror or str(error)).lower()}")
    try:
        process.communicate(text.encode("utf-8", "replace"), timeout_s)
    except subprocess.TimeoutExpired:
        return Grade(None, f"{command[0]} took longer than {timeout_s:g} s")
    finally:
        _end(process)
    match process.returncode:
        case 0 | 1 as status:
            return Grade(status == 0)
        case status:
            return Grade(None, f"{command[0]} ended with status {status}")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
