"""The HTTP server of a scripted vendor: one thread, loopback only, bounded in all it accepts."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Collection, Coroutine, Mapping, Sequence
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import msgspec

from runtime.testing import streams
from runtime.testing.bodies import MIDWAY, answer_body, is_streamed, stream_events
from runtime.testing.heads import answer_head, chunk, read_head, stream_head
from runtime.testing.schemas import Complaint
from runtime.testing.scripts import Reply, Script, echo
from runtime.testing.strictness import anthropic_complaint, gemini_complaint, openai_complaint
from runtime.testing.wire import Format, RecordedCall

MOST_CONNECTIONS = 4_096
MOST_HEAD = 65_536
MOST_BODY = 67_108_864
TURNS_TO_CLOSE = 5
"""Of the loop, for sockets that are being closed as it ends."""
MOST_SENT = 1_073_741_824
"""Bytes after which even a `huge` answer ends."""

_COMPLAINTS = {
    "openai": openai_complaint,
    "anthropic": anthropic_complaint,
    "gemini": gemini_complaint,
}
_START_S = 10.0


class ScriptedVendor:
    """A vendor on loopback that answers from a script; a context manager, or `start` and `stop`.

    `strict` has it refuse what the real one refuses; `refuses` names further parameters that a
    model does not take.  `api_key` None asks for no key.  All methods may be called from any
    thread.
    """

    def __init__(
        self,
        dialect: Format = "openai",
        *,
        strict: bool = True,
        api_key: str | None = "test-key",
        refuses: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.dialect: Format = dialect
        self.strict = strict
        self.api_key = api_key
        self._refuses = refuses or {}
        self._script: Script = echo
        self._calls: list[RecordedCall] = []
        self._connections: set[asyncio.StreamWriter] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._released: asyncio.Event | None = None
        self._held = False
        self._port = 0

    def __repr__(self) -> str:
        calls, connections = len(self._calls), self.open_connections
        return f"<ScriptedVendor {self.dialect}: {calls} calls, {connections} connections>"

    # --- for its user ---

    @property
    def url(self) -> str:
        """The `base_url` to configure."""
        return f"http://127.0.0.1:{self._port}{'/v1' if self.dialect == 'openai' else ''}"

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        """Every request so far, the refused ones too, oldest first."""
        with self._changed:
            return tuple(self._calls)

    @property
    def open_connections(self) -> int:
        with self._changed:
            return len(self._connections)

    def answers(self, script: Script | Reply | Sequence[Reply]) -> None:
        """What to answer from now on: as the function says, always the same, or these in turn and
        then the default.  None of it sees a request that `strict` refuses.
        """
        if isinstance(script, Reply):
            reply = script
            self._script = lambda _: reply
        elif callable(script):
            self._script = script
        else:
            turns = chain((_always(reply) for reply in script), repeat(echo))
            self._script = lambda call: next(turns)(call)

    def hold(self) -> None:
        """Keeps back every answer from now on, until `release`; calls are recorded still."""
        self._held = True

    def release(self) -> None:
        """Sends what was kept back, and answers at once again."""
        self._held = False
        if self._loop is not None and self._released is not None:
            self._loop.call_soon_threadsafe(self._released.set)

    def wait_for(self, *, calls: int = 0, connections: int | None = None, timeout: float) -> bool:
        """Blocks until there were that many calls and are that many connections; False if not
        within `timeout` seconds.
        """

        def reached() -> bool:
            enough = len(self._calls) >= calls
            return enough and connections in (None, len(self._connections))

        with self._changed:
            return self._changed.wait_for(reached, timeout)

    def drop_connections(self, *, reset: bool = False) -> None:
        """Closes every connection now, politely or with a TCP reset."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drop, reset)

    def start(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="scripted-vendor", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_S):
            raise RuntimeError("the scripted vendor did not start")
        return self

    def stop(self) -> None:
        """Closes everything; nothing is left of it but what it recorded."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = self._loop = self._stopping = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- in its thread ---

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._released = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()
        transports: WeakSet[asyncio.WriteTransport] = WeakSet()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            transports.add(writer.transport)
            task = asyncio.ensure_future(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(
            accepted, "127.0.0.1", 0, limit=MOST_HEAD, backlog=MOST_CONNECTIONS
        )
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        server.close()
        accepting = asyncio.all_tasks() - tasks - {asyncio.current_task()}
        if accepting:  # what is being accepted just now is let in, to be closed like the rest
            await asyncio.wait(accepting, timeout=1.0)
        await asyncio.sleep(0)
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in transports:  # what is still to be written is wanted by nobody
            transport.abort()
        await server.wait_closed()
        for _ in range(TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.open_connections >= MOST_CONNECTIONS:
            writer.close()
            return
        with self._changed:
            self._connections.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client left, or speaks no HTTP: this connection is over, the others are not
        finally:
            writer.close()
            with self._changed:
                self._connections.discard(writer)
                self._changed.notify_all()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection ends with it."""
        path, headers = read_head(await reader.readuntil(b"\r\n\r\n"))
        length = int(headers.get("content-length", "0"))
        if length > MOST_BODY:
            return False
        data = await reader.readexactly(length)
        try:
            call = RecordedCall(path, headers, msgspec.json.decode(data, type=dict))
        except msgspec.DecodeError:
            call = RecordedCall(path, headers, {})
        self._record(call)
        reply = self._reply(call)
        if (reply.delay_s or self._held) and await _left_during(reader, self._wait(reply)):
            return False
        return await self._send(reader, writer, call, reply)

    async def _wait(self, reply: Reply) -> None:
        """Takes as long as the answer is to take."""
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        while self._held and self._released is not None:
            self._released.clear()
            await self._released.wait()

    def _record(self, call: RecordedCall) -> None:
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    def _reply(self, call: RecordedCall) -> Reply:
        complain = _COMPLAINTS[self.dialect]
        if self.strict and (complaint := complain(call, self.api_key, self._refuses)):
            return _complaining(complaint)
        return self._script(call)

    async def _send(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        call: RecordedCall,
        reply: Reply,
    ) -> bool:
        if is_streamed(call, reply):
            return await self._stream(reader, writer, call, reply)
        body = answer_body(self.dialect, call, reply)
        match None if reply.fault in MIDWAY else reply.fault:
            case None | "garbage":
                writer.write(answer_head(reply, len(body)) + body)
                await writer.drain()
                return reply.headers.get("connection") != "close"
            case "hang":
                await reader.read()
            case "reset":
                _reset_on_close(writer)
            case "truncate":
                writer.write(answer_head(reply, len(body)) + body[: len(body) // 2])
                await writer.drain()
            case "noise":
                writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
                await writer.drain()
            case "huge":
                writer.write(answer_head(reply, MOST_SENT))
                for _ in range(MOST_SENT // MOST_HEAD):
                    writer.write(b" " * MOST_HEAD)
                    await writer.drain()
        return False

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        call: RecordedCall,
        reply: Reply,
    ) -> bool:
        assert self._released is not None
        events = stream_events(self.dialect, call, reply)
        half = len(events) // 2
        self._released.clear()
        writer.write(stream_head(reply) + b"".join(map(chunk, events[:half])))
        await writer.drain()
        match reply.fault:
            case "stall":
                await reader.read()
                return False
            case "cut":
                return False
            case "garbage midway":
                writer.write(chunk(streams.GARBAGE))
            case "error midway":
                events[half:] = [streams.stream_error(self.dialect, 529, "Overloaded")]
        if reply.pauses and await _left_during(reader, _until(self._released)):
            return False
        writer.write(b"".join(map(chunk, events[half:])) + b"0\r\n\r\n")
        await writer.drain()
        return True

    def _drop(self, reset: bool) -> None:
        for writer in tuple(self._connections):
            if reset:
                _reset_on_close(writer)
            writer.close()


def _always(reply: Reply) -> Script:
    return lambda _: reply


def _complaining(complaint: Complaint) -> Reply:
    return Reply(
        complaint.message, status=complaint.status, code=complaint.code, param=complaint.param
    )


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _left_during(reader: asyncio.StreamReader, wait: Coroutine[Any, Any, None]) -> bool:
    """Whether the client goes while it is kept waiting."""
    waiting, leaving = asyncio.create_task(wait), asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
        return not waiting.done() and leaving.result() == b""
    finally:
        waiting.cancel()
        leaving.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
