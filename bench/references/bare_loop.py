"""The limit: one epoll loop and httptools do a vote, and nothing else.

    python -m bench.references.bare_loop URL vote|adversarial

Requests are spliced from prepared parts, sent without waiting, read as HTTP and as JSON.  There is
no engine, no money, no failure, no deadline, and no code shared with the engine's transport.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import httptools
import msgspec

from bench.subject import Crowd, be_measured, serve
from bench.workload import ASKED, JUDGE, KEY, MAX_TOKENS, MODELS, VOTERS, to_judge

encoded = msgspec.json.encode
Answered: TypeAlias = Callable[[str], None]

ROUNDS = {"vote": (VOTERS, (JUDGE,)), "adversarial": (MODELS[:1], MODELS[1:2]) * 2 + (MODELS[:1],)}
"""Whom each round asks; all after the first are shown the answers of the one before."""


class Message(msgspec.Struct):
    content: str


class Choice(msgspec.Struct):
    message: Message


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class Answer(msgspec.Struct):
    choices: tuple[Choice, ...]
    usage: Usage


read = msgspec.json.Decoder(Answer).decode


class Connection:
    """One keep-alive connection: one request at a time."""

    def __init__(self, address: tuple[str, int], free: list[Connection]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.parser = httptools.HttpResponseParser(self)
        self.free = free
        self.parts: list[bytes] = []
        self.answered: Answered

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() != 200:
            raise RuntimeError("the vendor does not answer")
        answer = read(b"".join(self.parts))
        self.parts.clear()
        self.free.append(self)
        self.answered(answer.choices[0].message.content)


class Loop:
    """All connections to one vendor, the last used first."""

    def __init__(self, url: str, rounds: Sequence[Sequence[str]]) -> None:
        host = url.split("/")[2]
        name, port = host.split(":")
        self.address = (name, int(port))
        self.head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {KEY}\r\n"
            "content-type: application/json\r\naccept: application/json\r\ncontent-length: "
        ).encode()
        self.asked = encoded(ASKED)
        self.rounds = [[self.before(model) for model in models] for models in rounds]
        self.epoll = select.epoll()
        self.all: dict[int, Connection] = {}
        self.free: list[Connection] = []
        self.to_begin = 0
        self.seconds: list[float] = []

    def before(self, model: str) -> bytes:
        """A body up to its messages."""
        return b'{"model":"%s","max_tokens":%d,"messages":' % (model.encode(), MAX_TOKENS)

    def send(self, before: bytes, messages: bytes, answered: Answered) -> None:
        connection = self.free.pop() if self.free else self.connected()
        connection.answered = answered
        size = len(before) + len(messages) + 1
        data = b"%b%d\r\n\r\n%b%b}" % (self.head, size, before, messages)
        if connection.socket.send(data) != len(data):
            raise RuntimeError("the socket's buffer is smaller than a request")

    def connected(self) -> Connection:
        connection = Connection(self.address, self.free)
        number = connection.socket.fileno()
        self.all[number] = connection
        self.epoll.register(number, select.EPOLLIN)
        return connection

    def votes(self, votes: int, concurrency: int) -> Crowd:
        self.to_begin, self.seconds = votes, []
        for _ in range(min(votes, concurrency)):
            self.begin()
        while len(self.seconds) < votes:
            for number, _ in self.epoll.poll():
                connection = self.all[number]
                data = connection.socket.recv(65536)
                if not data:
                    raise RuntimeError("the vendor has gone")
                connection.parser.feed_data(data)
        return Crowd(self.seconds)

    def begin(self) -> None:
        self.to_begin -= 1
        began = time.perf_counter()
        rounds = iter(self.rounds)
        texts: list[str] = []
        missing = 0

        def ask(models: Sequence[bytes], messages: bytes) -> None:
            nonlocal missing
            missing = len(models)
            texts.clear()
            for before in models:
                self.send(before, messages, answered)

        def answered(text: str) -> None:
            nonlocal missing
            texts.append(text)
            missing -= 1
            if missing:
                return
            if models := next(rounds, None):
                ask(models, encoded(to_judge(texts)))
            else:
                self.seconds.append(time.perf_counter() - began)
                if self.to_begin:
                    self.begin()

        ask(next(rounds), self.asked)


def main() -> None:
    url = be_measured()
    serve(Loop(url, ROUNDS[sys.argv[2]]).votes)


if __name__ == "__main__":
    main()
