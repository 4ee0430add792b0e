"""`planhub plan` before somebody's eyes: the answer comes on the terminal, and is written once."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.runtime.cli.test_running import QUICK, WITHIN_S, Home

CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    slow = QUICK.replace("delay_ms = 1,", "delay_ms = 1500,")
    (home.folder / "planhub.toml").write_text(slow)
    return home


def test_the_answer_is_seen_to_come_and_written_once(home: Home) -> None:
    """On standard error as it comes, on standard output when it is there."""
    leader, terminal = pty.openpty()
    env = home.env | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        home.command("plan", "Design a REST API for a task app"),
        cwd=home.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
    ) as process:  # fmt: skip
        os.close(terminal)
        seen = _drain(leader)
        assert process.stdout is not None
        answer = process.stdout.read().decode()
        assert process.wait(WITHIN_S) == 0
    os.close(leader)
    assert not CONTROL.search(answer.encode())
    words = answer.split()
    assert answer.count(" ".join(words[-5:])) == 1
    drawings = [drawing.split() for drawing in seen.split("calls answered")[1:]]
    assert any(words[:5] == drawing[i : i + 5] for drawing in drawings for i in range(20))
    assert len({len(drawing) for drawing in drawings}) > 5, "it grows"


def _drain(leader: int) -> str:
    """All that is written to a terminal until nobody holds it."""
    data = b""
    with suppress(OSError):  # that is how the end of a terminal is told
        while piece := os.read(leader, 65_536):
            data += piece
    return CONTROL.sub(b" ", data).decode("utf-8", "replace")
