"""The programs that a matrix measures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple

from bench.subject import Subject, started


class Program(NamedTuple):
    """`module` is run by `python` with the vendor's URL and `arguments`."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = {}

    def started(self, url: str) -> AbstractContextManager[Subject]:
        command = (self.python, "-m", self.module, url, *self.arguments)
        return started(self.name, command, self.environment)


BARE = Program("bare loop", "bench.references.bare_loop", ("vote",))
DISK = Program("planhub embedded, disk", "bench.engine.embedded", ("disk", "callbacks", "vote"))
MEMORY = Program(
    "planhub embedded, memory", "bench.engine.embedded", ("memory", "callbacks", "vote")
)

PROGRAMS: tuple[Program, ...] = (
    BARE,
    Program("asyncio.Protocol on uvloop", "bench.references.protocol_client"),
    Program("aiohttp gather", "bench.references.aiohttp_gather"),
    Program("httpx gather", "bench.references.httpx_gather"),
    DISK,
    Program(
        "planhub embedded, disk, by a thread", "bench.engine.embedded", ("disk", "thread", "vote")
    ),
    MEMORY,
    Program("planhub socket", "bench.engine.served", ("socket",)),
    Program("planhub HTTP", "bench.engine.served", ("http",)),
)

BARE_SEQUENCE = Program("bare loop, in sequence", "bench.references.bare_loop", ("adversarial",))
SEQUENCE = Program(
    "planhub adversarial", "bench.engine.embedded", ("disk", "callbacks", "adversarial")
)


def chosen(words: list[str]) -> tuple[Program, ...]:
    """Those whose name holds one of `words` (all, without any), after the bare loop."""
    rest = PROGRAMS[1:]
    if words:
        rest = tuple(p for p in rest if any(word in p.name for word in words))
        if not rest:
            raise SystemExit(f"nothing is called so: {', '.join(p.name for p in PROGRAMS)}")
    return (BARE, *rest)
