"""Keys are planted, everything goes wrong that can, and all that is written is searched."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime import PlanError, Planhub, telemetry
from runtime.config import Config, Log, connections, load
from runtime.dialects.anthropic import AnthropicDialect
from runtime.keys import KeyBook, KeyRing
from runtime.storage.database import connect
from runtime.testing import RecordedCall, Reply, ScriptedVendor
from tests.end_to_end.rig import (
    CLAUDE,
    GPT,
    PROMPT,
    Served,
    Vendors,
    configured,
    request,
    served,
    until,
)
from tests.end_to_end.shell import Shell

SECRET = "sk-planted-0123456789abcdef"
"""The key of both vendors."""


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with (
        ScriptedVendor("openai", api_key=SECRET) as openai,
        ScriptedVendor("anthropic", api_key=SECRET) as anthropic,
    ):
        yield Vendors(openai, anthropic)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """All that planhub logs as its server does, at its most talkative; `caplog` has the rest."""
    stream = io.StringIO()
    names = ("planhub", "uvicorn", "uvicorn.error")
    before = [(logging.getLogger(name), vars(logging.getLogger(name)).copy()) for name in names]
    caplog.set_level(logging.DEBUG)
    telemetry.configure(Log(level="debug"), stream)
    yield stream
    for logger, state in before:
        logger.handlers, logger.propagate = state["handlers"], state["propagate"]
        logger.setLevel(state["level"])


def repeated(call: RecordedCall) -> list[Reply]:
    """Every way to say our own key to us."""
    said = f"key {SECRET} in {call.headers}"
    return [
        Reply(said, status=401),
        Reply(said, status=400, code=SECRET, param=SECRET),
        Reply(said, status=500),
        Reply(said, status=429, headers={"retry-after": "soon"}),
        Reply(body=f"<html>{said}</html>".encode(), status=503),
        Reply(body=said.encode()),
        Reply(body=msgspec.json.encode({"error": {"message": said, "code": 401}, "choices": []})),
        Reply(body=msgspec.json.encode({"choices": said, "content": said})),
    ]


WAYS = range(8)


def talkative(vendors: Vendors, way: int) -> None:
    for vendor in vendors:
        vendor.answers(lambda call: repeated(call)[way])


def everything_of(at: Served, key: str) -> list[str]:
    """All pages there are, with the key and without, and what was answered to wrong requests."""
    told: list[str] = []
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    with at.client() as client:
        for presented in (wrong, f"{key} {key}", "-", key):
            client.headers["authorization"] = f"Bearer {presented}"
            for path in ("/v1/models", "/readyz", "/healthz", "/openapi.json", "/v1/plan/x", "/no"):
                told.append(client.get(path).text)
            for body in (request(policy={"max_latency_ms": 400}), {}, []):
                response = client.post("/v1/plan", json=body)
                told += [response.text, str(response.headers)]
                if run := response.json().get("id"):
                    told.append(client.get(f"/v1/plan/{run}").text)
    return told


@pytest.mark.parametrize("way", WAYS)
def test_a_server_whose_vendors_repeat_its_key(
    vendors: Vendors,
    tmp_path: Path,
    logged: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    way: int,
) -> None:
    """In answers, pages, logs, books and reprs neither key is found; the vendors were sent it."""
    database = tmp_path / "planhub.db"
    talkative(vendors, way)
    _, key = KeyBook(lambda: connect(database)).create("client")
    config = configured(vendors, models=(GPT, CLAUDE))
    with served(config, database) as at:
        written = everything_of(at, key)
        engine = at.hub.engine
        parts = (config, at.hub, engine, engine.system, engine.host, *engine.vendors.values())
        written += [repr(part) for part in (*parts, connections(config), config.keys)]
        written += [repr(KeyRing(lambda: connect(database, read_only=True))), repr(at.hub.models())]
        assert vendors.calls
        assert any(SECRET in str(call.headers) for call in vendors.calls)
    written += [logged.getvalue(), *(record.getMessage() for record in caplog.records), caplog.text]
    for secret in (SECRET, key, key.removeprefix("planhub_")):
        assert not [text for text in written if secret in text]
        for file in tmp_path.iterdir():
            assert secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("way", WAYS)
def test_events_and_errors_of_a_host(vendors: Vendors, way: int) -> None:
    """What a program hears that embeds it."""
    talkative(vendors, way)
    with Planhub.open(configured(vendors, models=(GPT, CLAUDE))) as hub:
        written = spoken(hub)
    assert "call_failed" in str(written)
    assert not [text for text in written if SECRET in text]


def test_a_dialect_that_crashes_over_the_key(
    vendors: Vendors, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pool fails, and tells of it, without the words of the exception's that are the key."""
    monkeypatch.setattr(AnthropicDialect, "decode", crashing)
    with Planhub.open(configured(vendors, models=(CLAUDE,))) as hub:
        written = spoken(hub)
        assert until(lambda: hub.engine.system.restarts > 0)
    assert "cannot use ***" in str(written)
    assert not [text for text in (*written, logged.getvalue()) if SECRET in text]


def crashing(*_: Any) -> Any:
    raise ValueError(f"cannot use {SECRET}")


def spoken(hub: Planhub) -> list[str]:
    """The events of one run, and its error in every form."""
    events: list[dict[str, Any]] = []
    try:
        hub.plan(PROMPT, primary_model_id=CLAUDE, max_latency_ms=400, on_event=events.append)
    except PlanError as error:
        return [str(event) for event in events] + [str(error), repr(error), str(vars(error))]
    return [str(event) for event in events]


def test_commands_and_configuration(vendors: Vendors, tmp_path: Path) -> None:
    """`check` and the other commands say that there is a key, or that it is wrong; a key that was
    pasted where it does not belong is not repeated.
    """
    talkative(vendors, 0)
    config = configured(vendors)
    tables = "".join(
        f'[[providers]]\nid = "{p.id}"\ndialect = "{p.dialect}"\nbase_url = "{p.base_url}"\n'
        f'api_key_env = "{p.api_key_env}"\n[[models]]\nid = "{p.id}-1"\nprovider = "{p.id}"\n'
        "free = true\n"
        for p in config.providers
    )
    shell = Shell(tmp_path, OPENAI_API_KEY=SECRET, ANTHROPIC_API_KEY=SECRET)
    file = tmp_path / "planhub.toml"
    written: list[str] = []
    file.write_text(tables)
    for command in ("check", "models", "ledger", f"plan {PROMPT!r} --json"):
        ran = shell.run(*command.split(" ", 1))
        written += [ran.stdout, ran.stderr]
    for wrong in (
        f'[[providers]]\nid = "o"\ndialect = "openai"\napi_key = "{SECRET}"\n',
        f'[[providers]]\nid = "o"\ndialect = "openai"\napi_key_env = "{SECRET}"\n',
    ):
        file.write_text(wrong)
        ran = shell.run("check")
        written += [ran.stdout, ran.stderr]
        with suppress(ValueError):
            written.append(repr(load(file, {})))
    assert any("key" in text for text in written)
    assert not [text for text in written if SECRET in text]
    for found in tmp_path.rglob("*"):
        assert found == file or found.is_dir() or SECRET.encode() not in found.read_bytes()


def test_a_configuration_keeps_its_keys_to_itself(vendors: Vendors) -> None:
    """Whoever writes it down finds no key in it."""
    config = configured(vendors)
    assert isinstance(config, Config)
    assert SECRET not in f"{config} {config!r} {config.keys} {config.providers}"
    with suppress(TypeError):
        assert SECRET.encode() not in msgspec.json.encode(config)
