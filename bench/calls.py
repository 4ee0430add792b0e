"""CPU of one call through the transport, against one by hand over a bare epoll, in turns.

    python -m bench.calls [--calls 10000] [--rounds 5]

The bare loop sends prepared bytes and reads answers with httptools: no deadline, no failure, no
limit, no request of its own.
"""

from __future__ import annotations

import argparse
import select
import socket
import time
from statistics import median

import httptools
import trio

from bench.cores import pin
from bench.reaching import BODY, HEADERS, Calls, transports
from bench.subject import allow_many_files
from bench.upstream import upstream


class Bare:
    def __init__(self, url: str, concurrency: int) -> None:
        host, port = url.split("/")[2].split(":")
        lines = [f"{name}: {value}\r\n" for name, value in HEADERS]
        self.request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}:{port}\r\n{''.join(lines)}"
            f"content-length: {len(BODY)}\r\n\r\n"
        ).encode() + BODY
        self.epoll = select.epoll()
        self.sockets: dict[int, tuple[socket.socket, httptools.HttpResponseParser]] = {}
        self.parts: list[bytes] = []
        self.on_body = self.parts.append
        self.left = self.size = 0
        self.sending: socket.socket
        for _ in range(concurrency):
            sock = socket.create_connection((host, int(port)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            self.epoll.register(sock.fileno(), select.EPOLLIN)
            self.sockets[sock.fileno()] = (sock, httptools.HttpResponseParser(self))

    def on_message_complete(self) -> None:
        self.size += len(b"".join(self.parts))
        self.parts.clear()
        self.left -= 1
        if self.left >= len(self.sockets):
            self.sending.send(self.request)

    def make(self, calls: int) -> None:
        self.left = calls
        for sock, _ in self.sockets.values():
            sock.send(self.request)
        while self.left:
            for number, _ in self.epoll.poll():
                self.sending, parser = self.sockets[number]
                parser.feed_data(self.sending.recv(65536))

    def close(self) -> None:
        self.epoll.close()
        for sock, _ in self.sockets.values():
            sock.close()


async def compared(url: str, calls: int, rounds: int, concurrency: int) -> tuple[float, float]:
    """Microseconds of CPU per call, by hand and through the transport: medians of the rounds."""
    bare = Bare(url, concurrency)
    by_hand, through = [], []
    async with transports(1) as (transport,):
        ported = Calls(transport, url, concurrency)
        for _ in range(rounds + 1):
            began = time.process_time()
            bare.make(calls)
            by_hand.append(time.process_time() - began)
            began = time.process_time()
            await ported.make(calls)
            through.append(time.process_time() - began)
    bare.close()
    return tuple(1e6 * median(taken[1:]) / calls for taken in (by_hand, through))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    pin(measured=True)
    allow_many_files()
    print("concurrent   bare us   transport us   ratio")
    with upstream() as url:
        for concurrency in (1, 32, 256, 1000):
            bare, through = trio.run(compared, url, given.calls, given.rounds, concurrency)
            print(f"{concurrency:10}{bare:10.1f}{through:15.1f}{through / bare:8.2f}")


if __name__ == "__main__":
    main()
