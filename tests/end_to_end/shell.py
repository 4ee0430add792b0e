"""A user's shell: the command `planhub` in an empty folder, with a home of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITHIN_S = 30.0
HIDDEN = re.compile(r"(OPENAI|ANTHROPIC|GEMINI)_.*|XDG_.*|.*_PROXY", re.IGNORECASE)


class Shell:
    """No file, no key and no proxy of whoever runs the tests is there; `env` is."""

    def __init__(self, folder: Path, **env: str) -> None:
        self._folder = folder
        ours = {name: value for name, value in os.environ.items() if not HIDDEN.fullmatch(name)}
        root = str(Path(__file__).parents[2])
        self._env = {**ours, "HOME": str(folder), "PYTHONPATH": root, **env}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command(arguments),
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """`planhub serve`: the address that it says it listens on.  It ends on SIGTERM, with 0."""
        with subprocess.Popen(
            _command(("serve", "--http", "127.0.0.1:0")),
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                address = re.search(r"http://127\.0\.0\.1:\d+", line)
                assert address, line
                yield address[0]
                server.send_signal(signal.SIGTERM)
                assert server.wait(WITHIN_S) == 0
            finally:
                server.kill()


def _command(arguments: tuple[str, ...]) -> list[str]:
    script = "import sys; from runtime.cli import main; sys.exit(main())"
    return [sys.executable, "-c", script, *arguments]
