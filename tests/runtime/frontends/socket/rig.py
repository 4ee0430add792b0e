"""The socket's server over real sockets, in front of an engine or of a fake of one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import msgspec

from runtime import Planhub
from runtime.config import Config, complete, parse
from runtime.frontends.socket.addresses import listen
from runtime.frontends.socket.frames import MAX_FRAME_BYTES, Frames
from runtime.frontends.socket.server import SocketServer
from tests.runtime.frontends.socket.talk import HELLO, said

WITHIN_S = 10.0


def simulated(delay_ms: float = 0.0, **server: Any) -> Config:
    vendor = {
        "id": "simulated",
        "dialect": "simulated",
        "max_concurrency": 10_000,
        "simulated": {"delay_ms": delay_ms, "seed": 7},
    }
    return complete(parse({"providers": [vendor], "server": server}), {})


@contextmanager
def serving(hub: Planhub, address: str = "127.0.0.1:0", **options: Any) -> Iterator[SocketServer]:
    """The socket of a running hub; `options` are the server's."""
    engine = hub.engine
    server = SocketServer(engine, listen(address, options.get("keys")), engine.reactor, **options)
    engine.host.serve_beside(server.serve).get(WITHIN_S)
    yield server
    server.stop()


class Caller:
    """A client that knows nothing but frames."""

    def __init__(self, name: str, *, hello: bool = True) -> None:
        if name.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(WITHIN_S)
            self.socket.connect(name.removeprefix("unix:"))
        else:
            host, _, port = name.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), WITHIN_S)
        self._frames = Frames(4 * MAX_FRAME_BYTES)
        if hello:
            self.say(HELLO)
            assert self.hear()["type"] == "welcome"

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.socket.close()

    def say(self, *messages: Any) -> None:
        self.socket.sendall(said(*messages))

    def hear(self) -> Any:
        """The next message; EOFError when there is none."""
        while (payload := self._frames.next()) is None:
            data = self.socket.recv(262_144)
            if not data:
                raise EOFError
            self._frames.feed(data)
        return msgspec.msgpack.decode(payload)

    def rest(self) -> list[Any]:
        """All that is heard until the server closes the connection."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except EOFError:
            return heard
