"""`planhub serve` as the measured process, loaded from another one over HTTP or the socket.

python -m bench.engine.served URL http|socket
"""

from __future__ import annotations

import asyncio
import itertools
import select
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop
from msgspec import json

from bench.client import Client
from bench.cores import pin
from bench.engine.frames import Pipeline
from bench.engine.setup import MODES, plan_body, require_whole, written
from bench.subject import allow_many_files, by_tasks, serve

START_S = 30.0
STOP_S = 30.0
SERVER = """\
import sys
from bench.cores import pin
from bench.subject import allow_many_files
from runtime.cli import main
pin(measured=True)
allow_many_files()
sys.exit(main())
"""


@contextmanager
def server(config: Path, *arguments: str) -> Iterator[tuple[int, str]]:
    """A server on the measured core; its process and URL.  It logs into a file beside `config`."""
    log = config.with_name("log")
    command = [sys.executable, "-c", SERVER, "serve", "--http", "127.0.0.1:0", *arguments]
    command += ["--config", str(config)]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], START_S)
        welcome = process.stdout.readline() if ready else ""
        if "http://" not in welcome:
            raise RuntimeError(f"the server did not start: {log.read_text()}")
        yield process.pid, f"http://{welcome.split('http://')[1].split()[0]}"
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def require_whole_body(answer: dict[str, Any]) -> None:
    _, calls = MODES["vote"]
    require_whole(answer["status"], len(answer["calls"]), answer["reasons"], calls)


def over_http(url: str, loop: asyncio.AbstractEventLoop) -> Callable[[], Awaitable[None]]:
    client = Client(url, "/v1/plan", loop)
    body = json.encode(plan_body())

    async def vote() -> None:
        status, answer = await (await client.post(body))
        if status != 200:
            raise RuntimeError(f"status {status}: {answer[:200]!r}")
        require_whole_body(json.decode(answer))

    return vote


def over_socket(path: str, loop: asyncio.AbstractEventLoop) -> Callable[[], Awaitable[None]]:
    pipelines = loop.run_until_complete(Pipeline.several(path, loop))
    turns = itertools.cycle(pipelines)
    body = plan_body()

    async def vote() -> None:
        require_whole_body(await next(turns).plan(body))

    return vote


def main() -> None:
    vendor, how = sys.argv[1:]
    pin(measured=False)
    allow_many_files()
    loop = uvloop.new_event_loop()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = str(folder / "socket")
        more = ("--socket", f"unix:{path}") if how == "socket" else ()
        with server(written(vendor, folder), *more) as (process, url):
            vote = over_socket(path, loop) if more else over_http(url, loop)
            serve(by_tasks(vote, loop), process)


if __name__ == "__main__":
    main()
