"""API keys: who may ask, for what, how often and for how much.

A key is `planhub_` and 64 hexadecimal digits, 256 random bits.  It is shown once, when it is
created or rotated; what is stored is its SHA-256.  A :class:`KeyBook` writes keys to the database,
for the command line.  A :class:`KeyRing` holds them in memory, for a server, and looks at the
database again when it has changed, at most once a second: so a revocation made beside a running
server takes effect within two.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hmac import compare_digest
from threading import Lock
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

from actors.domain.rates import Bucket
from actors.errors import Forbidden, RateLimited, Unauthorized

Scope: TypeAlias = Literal["plan", "chat", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Connect: TypeAlias = Callable[[], sqlite3.Connection]

LOOK_AGAIN_S = 1.0
_KEY = re.compile(r"planhub_[0-9a-f]{64}")
_COLUMNS = (
    "id, name, scopes, monthly_limit_nano, requests_per_minute, created_at, expires_at, revoked_at"
)


class KeyProblem(ValueError):
    """A key cannot be made or found as asked; the text says why, in one line."""


class ApiKey(Struct, frozen=True):
    """What is known of a key.  `limit_nano` is per calendar month; times are epoch seconds."""

    id: str
    name: str
    scopes: tuple[Scope, ...] = ()
    limit_nano: int | None = None
    requests_per_minute: int | None = None
    created_at: float = 0.0
    expires_at: float | None = None
    revoked_at: float | None = None

    def may(self, scope: Scope) -> bool:
        """Empty scopes mean all but `admin`."""
        return scope in self.scopes if self.scopes else scope != "admin"

    def is_live(self, at: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _api_key(row: tuple[Any, ...]) -> ApiKey:
    id, name, scopes, *rest = row
    return ApiKey(id, name, tuple(scopes.split()), *rest)


# --- writing keys -----------------------------------------------------------------------------


class KeyBook:
    """The keys in a database; each method is one short transaction of its own.

    A key is named by its id or by its name, which is unique among those not revoked.
    """

    def __init__(self, connect: Connect, wall: Callable[[], float] = time.time) -> None:
        self._connect = connect
        self._wall = wall

    def create(
        self,
        name: str,
        *,
        scopes: tuple[Scope, ...] = (),
        limit_nano: int | None = None,
        expires_at: float | None = None,
        requests_per_minute: int | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can tell again."""
        text = _new_text()
        key = ApiKey(
            id=secrets.token_hex(6),
            name=name,
            scopes=scopes,
            limit_nano=limit_nano,
            requests_per_minute=requests_per_minute,
            created_at=self._wall(),
            expires_at=expires_at,
        )
        row = (key.id, name, " ".join(scopes), limit_nano, requests_per_minute, key.created_at)
        with self._transaction() as connection:
            if self._named(connection, name):
                raise KeyProblem(f"there is a key named {name} already: rotate it, or revoke it")
            connection.execute(
                f"INSERT INTO api_keys ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
                (*row, expires_at, _digest(text)),
            )
        return key, text

    def all(self) -> tuple[ApiKey, ...]:
        """All keys, revoked ones too, oldest first."""
        with closing(self._connect()) as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM api_keys ORDER BY created_at, id")
            return tuple(_api_key(row) for row in rows)

    def rotate(self, id_or_name: str) -> tuple[ApiKey, str]:
        """A new text for a key; the old one ends at once, budget and name stay."""
        text = _new_text()
        with self._transaction() as connection:
            key = self._live(connection, id_or_name)
            update = "UPDATE api_keys SET digest = ? WHERE id = ?"
            connection.execute(update, (_digest(text), key.id))
        return key, text

    def revoke(self, id_or_name: str) -> ApiKey:
        """Ends a key for good."""
        with self._transaction() as connection:
            key = self._live(connection, id_or_name)
            update = "UPDATE api_keys SET revoked_at = ? WHERE id = ?"
            connection.execute(update, (self._wall(), key.id))
        return key

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _named(self, connection: sqlite3.Connection, id_or_name: str) -> list[ApiKey]:
        where = "revoked_at IS NULL AND (id = ?1 OR name = ?1)"
        query = f"SELECT {_COLUMNS} FROM api_keys WHERE {where}"
        return [_api_key(row) for row in connection.execute(query, (id_or_name,))]

    def _live(self, connection: sqlite3.Connection, id_or_name: str) -> ApiKey:
        match self._named(connection, id_or_name):
            case [key]:
                return key
            case []:
                raise KeyProblem(f"no key {id_or_name}: `planhub keys list` shows all")
            case _:
                raise KeyProblem(f"{id_or_name} is one key's id and another's name: use the id")


def _new_text() -> str:
    return f"planhub_{secrets.token_hex(32)}"


# --- checking keys ----------------------------------------------------------------------------


class KeyRing:
    """The keys of a server.  Used from any thread, one after the other; no method waits for
    anything but SQLite's answer whether the database has changed, a matter of microseconds.  Its
    connection needs only to read.
    """

    def __init__(
        self,
        connect: Connect,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._wall = wall
        self._now = now
        self._looked_at = -LOOK_AGAIN_S
        self._version: int | None = None
        self._keys: dict[bytes, list[tuple[bytes, ApiKey]]] = {}
        self._buckets: dict[str, Bucket] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<KeyRing: {sum(map(len, self._keys.values()))} keys>"

    @property
    def required(self) -> bool:
        """Whether keys are asked for: from the first one that was ever created on."""
        self._refresh()
        return bool(self._keys)

    def admit(self, presented: str | None, scope: Scope) -> ApiKey:
        """The key that was presented, if it may do this, now.

        Raises Unauthorized, Forbidden or RateLimited.
        """
        key = self._find(presented or "")
        if key is None or not key.is_live(self._wall()):
            raise Unauthorized("missing or invalid api key")
        if not key.may(scope):
            raise Forbidden("scope not allowed")
        return key

    def count(self, key: ApiKey) -> None:
        """One request of this key; raises RateLimited when that is one too many."""
        if key.requests_per_minute is None:
            return
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault(key.id, Bucket(key.requests_per_minute, now))
            bucket.resize(now, key.requests_per_minute)
            if (wait_s := bucket.delay(now, 1)) > 0:
                raise RateLimited("rate limited", retry_after_s=wait_s)
            bucket.take(now, 1)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _find(self, presented: str) -> ApiKey | None:
        self._refresh()
        if not _KEY.fullmatch(presented):
            return None
        digest = _digest(presented)
        candidates = self._keys.get(digest[:4], [])
        return next((key for known, key in candidates if compare_digest(known, digest)), None)

    def _refresh(self) -> None:
        """Reads the keys again when another connection has written to the database."""
        if not self._is_due():
            return
        with self._lock:
            if self._is_due():  # else another thread has looked meanwhile
                self._look()
                self._looked_at = self._now()

    def _is_due(self) -> bool:
        return self._now() - self._looked_at >= LOOK_AGAIN_S

    def _look(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._read(self._connection)
            self._version = version

    def _read(self, connection: sqlite3.Connection) -> None:
        keys: dict[bytes, list[tuple[bytes, ApiKey]]] = {}
        for digest, *row in connection.execute(f"SELECT digest, {_COLUMNS} FROM api_keys"):
            keys.setdefault(digest[:4], []).append((digest, _api_key(tuple(row))))
        self._keys = keys
