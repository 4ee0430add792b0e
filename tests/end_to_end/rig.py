"""Two scripted vendors, one of each dialect, and the whole of planhub in front of them.

Each vendor has a strong and a light model, so that nobody must be asked twice.  Prices are odd
numbers: two sums that differ by a token, or by the class of a token, do not come out the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from actors.base import Address, Command
from actors.protocol import GetPoolStatus, PoolStatus
from runtime import Planhub, PlanResult
from runtime.config import Config, complete, parse
from runtime.frontends.http import create_app
from runtime.frontends.http.serving import DrainingServer, _bind
from runtime.kernel import Future
from runtime.keys import KeyRing
from runtime.storage.database import connect
from runtime.testing import RecordedCall, Reply, ScriptedVendor, judging

T = TypeVar("T")

PATIENCE_S = 10.0
PROMPT = "Design a REST API for a task management app"

GPT, GPT_LIGHT, CLAUDE, CLAUDE_LIGHT = "gpt-strong", "gpt-light", "claude-strong", "claude-light"

MODELS: tuple[dict[str, Any], ...] = (
    {"id": GPT, "provider": "openai", "weight": 9, "family": "gpt",
     "context_tokens": 100_000, "max_output_tokens": 8_000,
     "input_usd_per_mtok": 2.03, "output_usd_per_mtok": 10.07,
     "cache_read_usd_per_mtok": 0.51, "cache_write_usd_per_mtok": 2.53},
    {"id": GPT_LIGHT, "provider": "openai", "weight": 5, "family": "gpt",
     "context_tokens": 100_000, "max_output_tokens": 8_000,
     "input_usd_per_mtok": 0.17, "output_usd_per_mtok": 0.61},
    {"id": CLAUDE, "provider": "anthropic", "weight": 8, "family": "claude",
     "context_tokens": 200_000, "max_output_tokens": 8_000,
     "input_usd_per_mtok": 3.01, "output_usd_per_mtok": 15.11,
     "cache_read_usd_per_mtok": 0.31, "cache_write_usd_per_mtok": 3.77},
    {"id": CLAUDE_LIGHT, "provider": "anthropic", "weight": 4, "family": "claude",
     "context_tokens": 200_000, "max_output_tokens": 8_000,
     "input_usd_per_mtok": 0.79, "output_usd_per_mtok": 4.01},
)  # fmt: skip


@dataclass(frozen=True)
class Vendors:
    openai: ScriptedVendor
    anthropic: ScriptedVendor

    def __iter__(self) -> Iterator[ScriptedVendor]:
        return iter((self.openai, self.anthropic))

    def __getitem__(self, dialect: str) -> ScriptedVendor:
        return {"openai": self.openai, "anthropic": self.anthropic}[dialect]

    def other(self, dialect: str) -> ScriptedVendor:
        return self["anthropic" if dialect == "openai" else "openai"]

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        return (*self.openai.calls, *self.anthropic.calls)

    def answer(self, script: Callable[[RecordedCall], Reply] | Reply) -> None:
        """What both answer from now on."""
        for vendor in self:
            vendor.answers(script)


@contextmanager
def scripted_vendors() -> Iterator[Vendors]:
    """Both answer ballots with a verdict for the first candidate shown, and echo the rest."""
    with ScriptedVendor("openai") as openai, ScriptedVendor("anthropic") as anthropic:
        vendors = Vendors(openai, anthropic)
        vendors.answer(judging())
        yield vendors


def configured(
    vendors: Vendors,
    *,
    models: tuple[str, ...] = (GPT, GPT_LIGHT, CLAUDE, CLAUDE_LIGHT),
    provider: Mapping[str, Any] | None = None,
    **tables: Any,
) -> Config:
    """Both vendors with these models; `provider` has further settings of both."""
    file = {
        "providers": [
            {
                "id": vendor.dialect,
                "dialect": vendor.dialect,
                "base_url": vendor.url,
                "api_key_env": f"{vendor.dialect.upper()}_API_KEY",
                **(provider or {}),
            }
            for vendor in vendors
        ],
        "models": [row for row in MODELS if row["id"] in models],
        **tables,
    }
    env = {f"{vendor.dialect.upper()}_API_KEY": vendor.api_key or "" for vendor in vendors}
    return complete(parse(file), env)


# --- planhub over HTTP ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A server of the Plan API on loopback."""

    hub: Planhub
    port: int
    server: DrainingServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    def signal(self) -> None:
        """As a SIGTERM does: the first drains, the second stops."""
        assert self.server._loop is not None
        with suppress(RuntimeError):  # its loop has closed: it has stopped
            self.server._loop.call_soon_threadsafe(self.server.begin_to_stop)

    def post(self, body: Any, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/v1/plan", json=body, headers=headers)


@contextmanager
def served(config: Config, database: Path | None = None) -> Iterator[Served]:
    """What `planhub serve` serves, on a free port and a thread of its own.

    The keys that are asked for are the database's.
    """
    with ExitStack() as stack:
        hub = stack.enter_context(Planhub.open(config, database=database))
        keys = None if database is None else KeyRing(partial(connect, database, read_only=True))
        server = DrainingServer(create_app(hub.engine, keys), hub.engine, PATIENCE_S)
        listener = _bind("127.0.0.1", 0)

        def serve() -> None:
            server.run(sockets=[listener])
            if keys is not None:
                keys.close()

        thread = threading.Thread(target=serve)
        thread.start()
        at = Served(hub, listener.getsockname()[1], server)
        try:
            with at.client() as client:
                assert client.get("/healthz").status_code == 200
            yield at
        finally:
            at.signal()
            at.signal()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def request(prompt: Any = PROMPT, /, **parts: Any) -> dict[str, Any]:
    """A body of `POST /v1/plan`."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return {"request": {"messages": messages, **parts.pop("request", {})}, **parts}


# --- looking inside ------------------------------------------------------------------------------


def until(condition: Callable[[], T], within_s: float = PATIENCE_S) -> T:
    """What `condition` says once that is true; fails when it is not in time."""
    end = time.monotonic() + within_s
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {within_s} s"
        pause.wait(0.005)
    return found


def inside(hub: Planhub, look: Callable[[], T]) -> T:
    """What `look` returns on the engine's thread."""
    seen: Future[T] = Future()
    hub.engine.host.call_soon(lambda: seen.set(look()))
    return seen.get(PATIENCE_S)


def pool(hub: Planhub, provider: str) -> PoolStatus:
    def status(me: Address) -> Command:
        return GetPoolStatus(me, "status")

    asked: Future[PoolStatus] = hub.engine.system.ask(f"pool:{provider}", status, PATIENCE_S)
    return asked.get(PATIENCE_S)


def is_at_rest(hub: Planhub, provider: str) -> bool:
    """Its vendor serves, and nothing is on the wire or in the line."""
    status = pool(hub, provider)
    return status.available and (status.leased, status.waiting) == (0, 0)


def held_nano(hub: Planhub) -> int:
    return sum(account.held_nano for account in hub.ledger().accounts)


def spent_nano(hub: Planhub) -> int:
    (installation,) = (a for a in hub.ledger().accounts if a.owner == "installation")
    return installation.spent_nano


def nano(usd: float) -> int:
    """An amount that was told in USD."""
    return round(usd * 1_000_000_000)


def by_role(result: PlanResult, vendors: Vendors) -> dict[str, list[RecordedCall]]:
    """What the vendors saw, by the role that the result says each call had.

    A model's calls reached its vendor in the order in which the result lists them.
    """
    seen: dict[str, Iterator[RecordedCall]] = {
        model["id"]: iter([call for call in vendors.calls if call.model == model["id"]])
        for model in MODELS
    }
    roles: dict[str, list[RecordedCall]] = {}
    for entry in result.calls:
        roles.setdefault(entry.role, []).append(next(seen[entry.model]))
    assert not [call for calls in seen.values() for call in calls], "calls that nobody reported"
    return roles


def body_of(response: httpx.Response) -> Any:
    return msgspec.json.decode(response.content)
