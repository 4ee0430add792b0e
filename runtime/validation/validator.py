"""The service that has answers validated elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import msgspec
import trio

from actors.base import Address, Message
from actors.protocol import Validate, Validated
from runtime.validation.worker import HEADER_BYTES

LIMIT_S = 1.0
START_S = 20.0
PROCESSES = 2
_WORKER = "from runtime.validation.worker import main; main()"
MOST_WAITING = 256

TOO_LONG = f"validating it took more than {LIMIT_S:g} s"
TOO_MANY = "too many answers are being validated"
BROKEN = "it could not be validated: the validating process ended"


class Validator:
    """A service of the host.  `start` and `abort` are for the engine's thread; results are told."""

    def __init__(self, tell: Callable[[Address, Message], None]) -> None:
        self._tell = tell
        self._nursery: trio.Nursery | None = None
        self._scopes: dict[str, trio.CancelScope] = {}
        self._idle: list[_Worker] = []

    def start(self, address: Address, work: Validate) -> None:
        """Begins; ends in one :class:`Validated` to `address`, within the limit and the line."""
        if self._nursery is None or len(self._scopes) >= MOST_WAITING:
            self._tell(address, Validated(work.id, (TOO_MANY,)))
            return
        scope = self._scopes[work.id] = trio.CancelScope()
        self._nursery.start_soon(self._validate, address, work, scope)

    def abort(self, work_id: str) -> None:
        """Kills what runs; it is told as having taken too long."""
        if (scope := self._scopes.get(work_id)) is not None:
            scope.cancel()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs until cancelled; leaves no process behind."""
        self._limiter = trio.CapacityLimiter(PROCESSES)
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            with trio.CancelScope(shield=True):
                while self._idle:
                    await self._idle.pop().kill()

    async def _validate(self, address: Address, work: Validate, scope: trio.CancelScope) -> None:
        found: tuple[str, ...] = (TOO_LONG,)
        try:
            with scope:
                async with self._limiter:
                    found = await self._in_worker(work)
        finally:
            del self._scopes[work.id]
        self._tell(address, Validated(work.id, found))

    async def _in_worker(self, work: Validate) -> tuple[str, ...]:
        """Uses a process again only if it has answered."""
        worker = self._idle.pop() if self._idle else await _Worker.begin()
        found: tuple[str, ...] | None = (TOO_LONG,)
        answered = False
        try:
            with trio.move_on_after(LIMIT_S):
                found = await worker.problems(work.schema, work.instance)
                answered = found is not None
        finally:
            if answered:
                self._idle.append(worker)
            else:
                with trio.CancelScope(shield=True):
                    await worker.kill()
        return (BROKEN,) if found is None else found


class _Worker:
    """One process, and the frames to and from it."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._received = bytearray()

    @classmethod
    async def begin(cls) -> _Worker:
        command = [sys.executable, "-c", _WORKER]
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}  # and no vendor's key
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        worker = cls(process)
        ready = False
        try:
            with trio.move_on_after(START_S):
                ready = await worker._read() is not None
        finally:
            if not ready:
                with trio.CancelScope(shield=True):
                    await worker.kill()
        return worker

    async def problems(self, schema: bytes, instance: bytes) -> tuple[str, ...] | None:
        """What is wrong; None when the process has ended."""
        body = msgspec.msgpack.encode((schema, instance))
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send_all(len(body).to_bytes(HEADER_BYTES, "big") + body)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return None
        return await self._read()

    async def _read(self) -> tuple[str, ...] | None:
        assert self._process.stdout is not None
        wanted = HEADER_BYTES
        while True:
            while len(self._received) < wanted:
                try:
                    chunk = await self._process.stdout.receive_some()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return None
                if not chunk:
                    return None
                self._received += chunk
            size = HEADER_BYTES + int.from_bytes(self._received[:HEADER_BYTES], "big")
            if len(self._received) >= size:
                body = bytes(self._received[HEADER_BYTES:size])
                del self._received[:size]
                return msgspec.msgpack.decode(body, type=tuple[str, ...])
            wanted = size

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                await stream.aclose()
