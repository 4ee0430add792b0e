"""Keys, headers, paths and configuration: refused where they are no such thing, and no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from actors.errors import Unauthorized
from runtime import Planhub
from runtime.config import Config, ConfigError, complete, load, parse
from runtime.frontends.http import create_app
from runtime.keys import KeyBook, KeyRing
from runtime.storage.database import connect
from tests.hostile.material import REPEATABLE, TEXTS, VALUES, deep, spoilt

QUICK = {"id": "simulated", "dialect": "simulated", "simulated": {"delay_ms": 0}}

# --- headers and paths ---------------------------------------------------------------------------

NAMES = [
    "host", "origin", "authorization", "x-api-key", "content-type", "prefer", "accept",
    "idempotency-key", "last-event-id", "user-agent",
]  # fmt: skip
ODD = [
    b"[::1",
    b"localhost:x",
    b"[",
    b"Bearer",
    b"Basic x",
    b"\xff" * 9,
    b"9" * 5_000,
    b"-1",
    b"*/*",
]
MEANT = [b"respond-async", b"text/event-stream", b"application/json", b"localhost", b"null"]
PRINTABLE = st.binary(max_size=20).map(
    lambda value: value.translate(None, bytes(range(32)) + b"\x7f")
)
HEADERS = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(ODD + MEANT) | PRINTABLE, max_size=5
)
RUNS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["%00", "..", "%2e%2e", "%ff", "a" * 9_000]
)


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    with Planhub.open(complete(parse({"providers": [QUICK]}), {})) as hub:
        yield create_app(hub.engine)


async def asked(app: Starlette, run: str, headers: dict[str, bytes], body: bytes) -> None:
    named = [(name.encode(), value) for name, value in headers.items()]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path in (
            ("POST", "/v1/plan"),
            ("GET", f"/v1/plan/{run}"),
            ("GET", "/v1/models"),
        ):
            response = await client.request(method, path, headers=named, content=body)
            assert response.status_code < 500, response.text
            assert response.status_code < 400 or response.json()["code"]


@REPEATABLE
@given(headers=HEADERS, run=RUNS, body=st.sampled_from([b"", b"{}", b"[]"]))
def test_headers_and_paths_of_any_kind(
    app: Starlette, headers: dict[str, bytes], run: str, body: bytes
) -> None:
    """None of them is our defect: each is answered, below 500, with a body that has a code."""
    asyncio.run(asked(app, quote(run, safe="%"), headers, body))


# --- keys ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KeyRing, str]]:
    database = tmp_path_factory.mktemp("keys") / "db"
    _, text = KeyBook(lambda: connect(database)).create("client")
    with closing(KeyRing(lambda: connect(database, read_only=True))) as ring:
        yield ring, text


@REPEATABLE
@given(data=st.data())
def test_only_the_key_itself_is_the_key(ring: tuple[KeyRing, str], data: st.DataObject) -> None:
    """Not a part of it, not with something around it, not in other letters."""
    keys, text = ring
    place = data.draw(st.integers(0, len(text)))
    other = data.draw(
        st.one_of(
            TEXTS,
            st.just(text[:place]),
            st.text(min_size=1, max_size=2).map(lambda more: text[:place] + more + text[place:]),
            st.just(text.upper()),
            st.just(text + "\n"),
        )
    )
    if other != text:
        with pytest.raises(Unauthorized):
            keys.admit(other, "plan")
    assert keys.admit(text, "plan").name == "client"


# --- configuration -------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "server": {"http": "127.0.0.1:8080", "database": "x.db", "max_runs": 10},
    "defaults": {"max_budget_usd": 1.0, "deadline_s": 120, "voters": 3, "mode": "vote"},
    "journal": {"keep_days": 30, "store_content": True, "durability": "process"},
    "log": {"level": "info", "json": False},
    "aliases": {"best": "gpt-4"},
    "providers": [
        QUICK,
        {
            "id": "openai",
            "dialect": "openai",
            "base_url": "https://vendor.example/v1",
            "api_key_env": "KEY",
            "max_concurrency": 64,
            "timeout_s": 60,
        },
    ],
    "models": [{"id": "gpt-4", "provider": "openai", "upstream": "gpt-4-0613", "weight": 8}],
}


def read(data: Any) -> Config | None:
    """The configuration; None when it was refused."""
    with suppress(ConfigError):
        return complete(parse(data), {"KEY": "sk"})
    return None


def test_the_whole_is_a_configuration() -> None:
    """What is spoilt below was sound."""
    assert read(WHOLE) is not None


@REPEATABLE
@given(spoilt(WHOLE) | st.dictionaries(TEXTS, VALUES, max_size=3))
def test_settings_with_something_wrong_in_them(data: Any) -> None:
    """Used as they stand, or refused in a sentence."""
    text = json.dumps(data).replace("\\ud800", "x")  # which no file in UTF-8 could hold
    if isinstance(settings := json.loads(text), dict):
        read(settings)


@REPEATABLE
@given(data=st.data())
def test_files_of_any_kind(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes that are no text, text that is no TOML, TOML without end."""
    values = st.sampled_from(["1979-05-27", "inf", "nan", "'x'", "[]", "{}", "9" * 5_000, "0x_"])
    lines = st.tuples(TEXTS, values).map(lambda line: f"{json.dumps(line[0])} = {line[1]}")
    abyss = deep(5_000).map(lambda deep: b"a = " + deep)
    content = data.draw(st.binary(max_size=60) | lines.map(str.encode) | abyss)
    path = Path(tmp_path_factory.getbasetemp()) / "planhub.toml"
    path.write_bytes(content)
    with suppress(ConfigError):
        load(path, {})
