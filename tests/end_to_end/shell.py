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
from typing import Any, NamedTuple

import httpx

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
    def begin(
        self, *arguments: str, errors: int = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; killed at the end if it has not ended by then."""
        with subprocess.Popen(
            _command(arguments),
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def serving(self, *more: str, errors: int = subprocess.DEVNULL) -> Iterator[Server]:
        """`planhub serve`, told to stop at the end if it has not ended by then; its log goes to
        the file that `errors` is the number of.
        """
        with self.begin("serve", "--http", "127.0.0.1:0", *more, errors=errors) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert address, line
            socket = re.search(r"on the socket (\S+)", line)
            yield Server(address[0], process, socket[1] if socket else "")
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(WITHIN_S) == 0


class Server(NamedTuple):
    """A server, at the address that it says it listens on."""

    url: str
    process: subprocess.Popen[str]
    socket: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=WITHIN_S, trust_env=False)

    def post(self, body: Any, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/plan", json=body, headers=headers)


def _command(arguments: tuple[str, ...]) -> list[str]:
    script = "import sys; from runtime.cli import main; sys.exit(main())"
    return [sys.executable, "-c", script, *arguments]
