"""What each value of a configuration may be is in its type; here is how they fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from runtime.config.settings import Config, ModelRow, Provider
from runtime.explain import show

_ID = re.compile(r"[\w.:/@+-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\s\[\]]+):(?P<port>\d{1,5})")

UNIX = "unix:"
LONGEST_PATH = 103
"""Of a Unix socket, on the system that allows least."""


def first_contradiction(config: Config) -> str | None:
    """A sentence about the first thing that does not fit, or None."""
    return next(_contradictions(config), None)


def split_address(address: str) -> tuple[str, int]:
    """`HOST:PORT` as a pair, the brackets of an IPv6 host dropped; raises ValueError."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(f"must be HOST:PORT, got {show(address)}")
    return found["host"].strip("[]"), int(found["port"])


def socket_address(address: str) -> tuple[str, int] | Path:
    """`HOST:PORT` as a pair, or `unix:PATH` as a path; raises ValueError."""
    if not address.startswith(UNIX):
        try:
            return split_address(address)
        except ValueError as error:
            text = f"must be HOST:PORT or unix:PATH, got {show(address)}"
            raise ValueError(text) from error
    path = address.removeprefix(UNIX)
    if not path or len(path.encode()) > LONGEST_PATH or "\0" in path:
        raise ValueError(f"must have a path of 1 to {LONGEST_PATH} bytes, got {show(address)}")
    return Path(path)


def resolve_aliases(config: Config) -> dict[str, str]:
    """Each alias with the model it leads to, over any number of steps; unknown ends are left."""
    return {name: _follow(name, config.aliases)[-1] for name in config.aliases}


def _follow(name: str, aliases: dict[str, str]) -> list[str]:
    steps = [name]
    while steps[-1] in aliases:
        steps.append(aliases[steps[-1]])
        if steps[-1] in steps[:-1]:
            break
    return steps


def _contradictions(config: Config) -> Iterator[str]:
    yield from _of_server(config)
    yield from _duplicates("providers", [provider.id for provider in config.providers])
    yield from _duplicates("models", [row.id for row in config.models])
    for i, provider in enumerate(config.providers):
        yield from _of_provider(f"providers[{i}]", provider)
    providers = {provider.id for provider in config.providers}
    for i, row in enumerate(config.models):
        yield from _of_model(f"models[{i}]", row, providers)
    if not any(row.enabled for row in config.models):
        yield "models: at least one enabled [[models]] entry is needed, with its [[providers]]"
    yield from _of_aliases(config)
    yield from _of_defaults(config)


def _of_server(config: Config) -> Iterator[str]:
    try:
        split_address(config.server.http)
    except ValueError as error:
        yield f"server.http {error}"
    try:
        socket_address(config.server.socket)
    except ValueError as error:
        yield f"server.socket {error}"
    if "://" in (config.server.database or ""):
        yield f"server.database must be a path, got {show(config.server.database)}"


def _duplicates(table: str, ids: list[str]) -> Iterator[str]:
    for i, id in enumerate(ids):
        if id in ids[:i]:
            yield f"{table}[{i}].id must be unique, got {show(id)} twice"


def _of_provider(path: str, provider: Provider) -> Iterator[str]:
    if not _ID.fullmatch(provider.id):
        yield f"{path}.id must be letters, digits and . _ - : / @ +, got {show(provider.id)}"
    yield from _of_url(f"{path}.base_url", provider.base_url)
    if provider.api_key_env is not None and not _VARIABLE.fullmatch(provider.api_key_env):
        # Not shown: whoever misreads this key puts the secret itself here.
        yield f"{path}.api_key_env must be the name of an environment variable"
    if provider.simulated is not None and provider.dialect != "simulated":
        yield f"{path}.simulated must be absent where the dialect is {provider.dialect}"


def _of_url(path: str, url: str | None) -> Iterator[str]:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.username or parts.password:
        yield f"{path} must be without a user or password; secrets come from the environment"
    elif parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        yield f"{path} must be an http:// or https:// address, got {show(url)}"


def _of_model(path: str, row: ModelRow, providers: set[str]) -> Iterator[str]:
    if not _ID.fullmatch(row.id) or row.id.startswith("planhub/"):
        yield f"{path}.id must be letters, digits and . _ - : / @ +, got {show(row.id)}"
    if row.provider not in providers:
        known = ", ".join(sorted(providers)) or "none is configured"
        yield f"{path}.provider must be a provider's id ({known}), got {show(row.provider)}"
    if (row.input_usd_per_mtok is None) != (row.output_usd_per_mtok is None):
        yield f"{path}: input_usd_per_mtok and output_usd_per_mtok must be given together"
    if row.free and any((row.input_usd_per_mtok, row.output_usd_per_mtok)):
        yield f"{path}.free must be false where a price is given, got true"


def _of_aliases(config: Config) -> Iterator[str]:
    models = {row.id for row in config.models}
    for name in config.aliases:
        steps = _follow(name, config.aliases)
        if name in models:
            yield f"aliases.{name} must not be the id of a model"
        if steps[-1] in steps[:-1]:
            yield f"aliases.{name} must lead to a model, got a circle: {' -> '.join(steps)}"
        elif steps[-1] not in models:
            yield f"aliases.{name} must lead to a model's id, got {show(steps[-1])}"


def _of_defaults(config: Config) -> Iterator[str]:
    defaults, known = config.defaults, {row.id for row in config.models} | set(config.aliases)
    for key in ("primary_model_id", "review_model_id"):
        if (name := getattr(defaults, key)) is not None and name not in known:
            yield f"defaults.{key} must be a model's id or an alias, got {show(name)}"
    for i, name in enumerate(defaults.voter_model_ids or ()):
        if name not in known:
            path = f"defaults.voter_model_ids[{i}]"
            yield f"{path} must be a model's id or an alias, got {show(name)}"
