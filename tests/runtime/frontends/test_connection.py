"""What a connection writes in one turn of the loop leaves in one piece, and in order."""

from __future__ import annotations

import asyncio
from typing import cast

from runtime.frontends.http.connection import Gathering


class Pieces:
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def gathering() -> tuple[Gathering, Pieces]:
    pieces = Pieces()
    return Gathering(cast("asyncio.Transport", pieces), asyncio.get_running_loop()), pieces


def test_one_turn_is_one_piece() -> None:
    async def story() -> None:
        transport, pieces = gathering()
        transport.write(b"head ")
        transport.write(b"body")
        assert pieces.done == []
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)
        assert pieces.done == [b"head body", b"next"]

    asyncio.run(story())


def test_what_was_written_goes_before_the_end() -> None:
    """Once: the end of the turn finds nothing left."""

    async def story() -> None:
        transport, pieces = gathering()
        transport.write(b"last words")
        transport.close()
        assert transport.is_closing()
        await asyncio.sleep(0)
        assert pieces.done == [b"last words", "closed"]

    asyncio.run(story())
