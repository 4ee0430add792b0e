"""A vendor that costs next to nothing: one fixed answer in OpenAI's format, after a delay.

Runs in a process of its own, so that what is measured beside it is not its doing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import httptools
import uvloop

from bench.cores import pin
from bench.subject import allow_many_files

TEXT = (
    "Resources are nouns: /tasks, /projects, /users. Lists are paged by cursor, "
    "writes carry an idempotency key, errors share one shape. "
) * 9
LABELS = re.compile(rb'\\"enum\\":\[(.*?)\]')
"""The first list of words in a ballot's schema: its labels."""


def answer(text: str) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 0,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 500, "completion_tokens": 300, "total_tokens": 800},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Vendor(asyncio.Protocol):
    """Answers each request on a connection in turn."""

    delay_s = 0.0
    plain = answer(TEXT)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        self.body = bytearray()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body.clear()

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        reply = self.reply()
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, self.write, reply)
        else:
            self.write(reply)

    def write(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)

    def reply(self) -> bytes:
        """The fixed text; to a judge's ballot, a verdict for the label that it names first."""
        found = LABELS.search(self.body)
        return self.plain if found is None else answer(verdict(found[1]))


def verdict(labels: bytes) -> str:
    """A verdict that the schema of a ballot accepts."""
    named: list[str] = json.loads(b"[%s]" % labels.replace(b"\\", b""))
    findings = [{"label": label, "finding": "Sound. " * 20} for label in named]
    return json.dumps({"findings": findings, "comparison": "Equal. " * 40, "choice": named[0]})


class Owner(asyncio.Protocol):
    """Standard input, held open by whoever started this: its end is ours, however it came."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    def connection_lost(self, _: Exception | None) -> None:
        self.gone.set()


async def serve(port: int, delay_s: float, *, owned: bool) -> None:
    pin(measured=False)
    allow_many_files()
    Vendor.delay_s = delay_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Vendor, "127.0.0.1", port, backlog=4096)
    owner = Owner()
    if owned:
        await loop.connect_read_pipe(lambda: owner, sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    await owner.gone.wait()
    server.close()


@contextmanager
def upstream(delay_ms: float = 0.0) -> Iterator[str]:
    """Runs one in a process of its own; gives its base URL."""
    command = [sys.executable, "-m", "bench.upstream", "--delay-ms", str(delay_ms)]
    command.append("--owned")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--owned", action="store_true", help="ends with its standard input")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.delay_ms / 1000, owned=given.owned))


if __name__ == "__main__":
    main()
