"""`planhub keys`: API keys, beside a running server on the same database."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from actors.domain.money import nano_from_usd
from actors.domain.money import usd as in_usd
from runtime.cli.ends import DONE, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import stderr, stdout, usd, write, write_json
from runtime.keys import ApiKey, KeyBook, Scope
from runtime.storage.database import connect

_SPAN = re.compile(r"(\d{1,5})([dh])")


def create_key(
    name: str,
    *,
    scopes: tuple[Scope, ...],
    monthly_budget_usd: float | None,
    expires: str | None,
    rate: int | None,
    json: bool,
    config: Path | None,
) -> int:
    if not name.strip() or not name.isprintable():
        raise CommandFailed("--name must be a name that can be read", WRONG_USE)
    if rate is not None and rate < 1:
        raise CommandFailed(f"--rate must be at least 1, got {rate}", WRONG_USE)
    if monthly_budget_usd is not None and not 0 <= monthly_budget_usd <= 1e9:
        raise CommandFailed("--monthly-budget-usd must be between 0 and 1000000000", WRONG_USE)
    key, text = _book(config).create(
        name,
        scopes=scopes,
        limit_nano=None if monthly_budget_usd is None else nano_from_usd(monthly_budget_usd),
        expires_at=None if expires is None else _expiry(expires),
        requests_per_minute=rate,
    )
    return _show_once(key, text, json)


def rotate_key(name: str, *, json: bool, config: Path | None) -> int:
    key, text = _book(config).rotate(name)
    return _show_once(key, text, json)


def revoke_key(name: str, *, json: bool, config: Path | None) -> int:
    key = _book(config).revoke(name)
    if json:
        write_json({"id": key.id, "name": key.name})
    else:
        stderr().print(Text(f"revoked {key.name} ({key.id})"))
    return DONE


def list_keys(*, json: bool, config: Path | None) -> int:
    keys = _book(config).all()
    if json:
        write_json({"keys": [_entry(key) for key in keys]})
        return DONE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "name", "scopes", "a month", "a minute", "created", "state"):
        table.add_column(column)
    for key in keys:
        table.add_row(*map(Text, _cells(key)))
    stdout().print(table if keys else Text("no keys: create one with `planhub keys create`"))
    return DONE


def _book(path: Path | None) -> KeyBook:
    database = database_of(configured(path))
    return KeyBook(lambda: connect(database))


def _show_once(key: ApiKey, text: str, json: bool) -> int:
    if json:
        write_json(_entry(key) | {"key": text})
        return DONE
    write(text)
    stderr().print(Text(f"{key.name} ({key.id}): keep the key now, it cannot be shown again"))
    return DONE


def _expiry(text: str) -> float:
    """`30d` or `12h` from now, or a date: the key ends when that day begins, UTC."""
    if span := _SPAN.fullmatch(text):
        length = timedelta(**{"days" if span[2] == "d" else "hours": int(span[1])})
        return (datetime.now(UTC) + length).timestamp()
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise CommandFailed(
            f"--expires must be a date such as 2027-01-31 or a time such as 30d, got {text}",
            WRONG_USE,
        ) from error
    at = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    if at <= time.time():
        raise CommandFailed(f"--expires must be a day to come, got {text}", WRONG_USE)
    return at


def _entry(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "monthly_budget_usd": None if key.limit_nano is None else in_usd(key.limit_nano),
        "requests_per_minute": key.requests_per_minute,
        "created": _day(key.created_at),
        "expires": _day(key.expires_at),
        "revoked": _day(key.revoked_at),
    }


def _cells(key: ApiKey) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        " ".join(key.scopes) or "all but admin",
        "any" if key.limit_nano is None else usd(in_usd(key.limit_nano)),
        "any" if key.requests_per_minute is None else str(key.requests_per_minute),
        _day(key.created_at) or "",
        _state(key),
    )


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if not key.is_live(time.time()):
        return f"expired {_day(key.expires_at)}"
    return "valid" if key.expires_at is None else f"valid until {_day(key.expires_at)}"


def _day(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
