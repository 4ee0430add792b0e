"""The ledger's writes as SQL: sorted by kind, then one statement a kind for all their rows.

Within one transaction the order of kinds replaces that of the writes.  An attempt that is reserved
and settled, or released, in the same transaction is written once, or not at all.  What a run was
told, or came to, before it begins again is forgotten; only a run that is wanted ever does.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import astuple

from actors.dispatch import handles, table
from actors.domain.money import day_of
from actors.protocol import (
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
    LeaseReturned,
    LeaseTaken,
    RunBegan,
    RunClosed,
    Step,
    StepsTaken,
    Write,
)
from runtime.storage.steps import row_of

Row: TypeAlias = tuple[Any, ...]
MOST_TOKENS = 2**53
"""What a vendor's count is written down as at most; SQLite knows no integer beyond 64 bits."""

KEY_PREFIX = "key:"

BEGAN = """
INSERT INTO runs (id, key, mode, request_id, status, started_at, wanted, strategy, order_hash,
    "order")
VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET
mode = ?3, status = 'running', http_status = NULL, ended_at = NULL, body_hash = NULL, body = NULL,
wanted = ?6, strategy = ?7, order_hash = ?8, "order" = ?9"""

WHOLE = """
INSERT INTO runs (id, key, mode, request_id, started_at, wanted, strategy, order_hash, "order",
    status, http_status, ended_at, body_hash, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO UPDATE SET
mode = ?3, wanted = ?6, strategy = ?7, order_hash = ?8, "order" = ?9, status = ?10,
http_status = ?11, ended_at = ?12, body_hash = ?13, body = ?14"""
"""A run that begins and ends in one transaction."""

NAMED = """
INSERT INTO idempotency (owner, name, body_hash, run, at) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET body_hash = ?3, run = ?4, at = ?5"""

FORGOTTEN = "DELETE FROM steps WHERE run = ?"

STEP = """
INSERT INTO steps (run, number, kind, key, length, body_hash, body, checksum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""

CLOSED = """
INSERT INTO runs (id, mode, started_at, status, http_status, ended_at, body_hash, body)
VALUES (?1, '', ?4, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET
status = ?2, http_status = ?3, ended_at = ?4, body_hash = ?5, body = ?6"""

VERDICT = """
INSERT OR REPLACE INTO verdicts (run, number, at, judge, choice, narrow, second_look, candidates,
    kin, chose_kin)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

RESERVED = """
INSERT OR REPLACE INTO attempts (id, run, key, mode, role, model, provider, status, window, day,
    reserved_at, held_nano)
VALUES (?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?, ?)"""

SETTLED = """
INSERT INTO attempts (id, run, key, mode, role, model, provider, window, day, reserved_at,
    held_nano, status, settled_at, cost_nano, estimated, uncertain, attempt, started_ms, latency_ms,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    truncated, clamped, error, text_hash, text)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29) ON CONFLICT DO UPDATE SET
status = ?12, settled_at = ?13, cost_nano = ?14, estimated = ?15, uncertain = ?16, attempt = ?17,
started_ms = ?18, latency_ms = ?19, input_tokens = ?20, cache_read_tokens = ?21,
cache_write_tokens = ?22, output_tokens = ?23, reasoning_tokens = ?24, truncated = ?25,
clamped = ?26, error = ?27, text_hash = ?28, text = ?29"""

RELEASED = "DELETE FROM attempts WHERE id = ? AND status = 'reserved'"

STANDING = """
INSERT INTO accounts (owner, window, limit_nano, spent_nano, leased_nano)
VALUES (?1, ?2, ?3, ?4, max(0, ?5)) ON CONFLICT DO UPDATE SET
spent_nano = spent_nano + ?4, leased_nano = max(0, leased_nano + ?5)"""

LIMIT = "UPDATE accounts SET limit_nano = ? WHERE owner = ? AND window = ?"


class Rows:
    """The rows of a transaction.  Without `content` texts are kept as their hashes alone."""

    def __init__(self, writes: Iterable[Write], *, content: bool) -> None:
        self._content = content
        self._began: dict[str, Row] = {}
        self._whole: list[Row] = []
        self._named: list[Row] = []
        self._forgotten: list[Row] = []
        self._steps: defaultdict[str, list[Step]] = defaultdict(list)
        self._closed: dict[str, Row] = {}
        self._verdicts: list[Row] = []
        self._reserved: dict[str, AttemptReserved] = {}
        self._settled: list[Row] = []
        self._released: list[Row] = []
        self._limits: dict[tuple[str, str], int | None] = {}
        self._spent: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._leased: defaultdict[tuple[str, str], int] = defaultdict(int)
        for write in writes:
            _ADDERS[type(write)](self)(write)

    def apply(self, connection: sqlite3.Connection) -> None:
        """Writes them, within the transaction that is open."""
        places = self._spent.keys() | self._leased.keys()
        for sql, rows in (
            (WHOLE, self._whole),
            (BEGAN, list(self._began.values())),
            (NAMED, self._named),
            (FORGOTTEN, self._forgotten),
            (STEP, [self._told(run, steps) for run, steps in self._steps.items() if steps]),
            (CLOSED, list(self._closed.values())),
            (VERDICT, self._verdicts),
            (RESERVED, [_reservation(write) for write in self._reserved.values()]),
            (SETTLED, self._settled),
            (RELEASED, self._released),
            (
                STANDING,
                [(*p, self._limits.get(p), self._spent[p], self._leased[p]) for p in places],
            ),
            (LIMIT, [(limit, *place) for place, limit in self._limits.items()]),
        ):
            if rows:
                connection.executemany(sql, rows)

    @handles
    def _lease(self, taken: LeaseTaken) -> None:
        place = (taken.account, taken.window)
        self._leased[place] += taken.amount_nano
        self._limits[place] = taken.limit_nano

    @handles
    def _give_back(self, returned: LeaseReturned) -> None:
        self._leased[returned.account, returned.window] -= returned.amount_nano

    @handles
    def _reserve(self, write: AttemptReserved) -> None:
        self._reserved[write.attempt] = write

    @handles
    def _release(self, write: AttemptReleased) -> None:
        if self._reserved.pop(write.attempt, None) is None:
            self._released.append((write.attempt,))

    @handles
    def _settle(self, write: AttemptSettled) -> None:
        self._reserved.pop(write.call.attempt_id, None)
        self._settled.append((*_settlement(write), *self._kept(write.text)))
        cost = write.call.cost_nano
        for account in write.charged:
            self._spent[account] += cost
            self._leased[account] -= min(cost, write.held_nano)

    @handles
    def _begin(self, began: RunBegan) -> None:
        order, at = began.order, began.at
        kept = self._kept(msgspec.msgpack.encode(order))
        who = (order.run, order.key, order.mode, order.request_id)
        self._began[order.run] = (*who, at, order.wanted, order.strategy, *kept)
        self._steps[order.run] = list(began.steps)
        self._closed.pop(order.run, None)
        if order.wanted:
            self._forgotten.append((order.run,))
        if order.idempotency_key is not None:
            owner, name = order.key or "", order.idempotency_key
            self._named.append((owner, name, order.body_hash, order.run, at))

    @handles
    def _tell(self, taken: StepsTaken) -> None:
        self._steps[taken.run] += taken.steps

    @handles
    def _close(self, closed: RunClosed) -> None:
        run = closed.run
        end = (closed.status, closed.http_status, closed.at, *self._kept(closed.body))
        if (began := self._began.pop(run, None)) is not None:
            self._whole.append((*began, *end))
        else:
            self._closed[run] = (run, *end)
        for number, verdict in enumerate(closed.verdicts, 1):
            self._verdicts.append((run, number, closed.at, *astuple(verdict)))

    def _told(self, run: str, steps: list[Step]) -> Row:
        number, kind, key, length, body, checksum = row_of(run, steps)
        return (run, number, kind, key, length, *self._kept(body), checksum)

    def _kept(self, content: bytes | str | None) -> Row:
        """Its hash or itself, whichever may be kept; of nothing, nothing."""
        if not content or self._content:
            return (None, content or None)
        encoded = content.encode() if isinstance(content, str) else content
        return (hashlib.sha256(encoded).digest(), None)


_ADDERS = table(Rows, Write)


def _reservation(write: AttemptReserved) -> Row:
    key, window = _charged(write.charged)
    who = (write.attempt, write.run, key, write.mode, write.role, write.model, write.provider)
    return (*who, window, day_of(write.at), write.at, write.held_nano)


def _settlement(write: AttemptSettled) -> Row:
    call, usage = write.call, write.call.usage
    key, window = _charged(write.charged)
    counts = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
    return (
        *(call.attempt_id, write.run, key, write.mode, call.role, call.model, call.provider),
        *(window, day_of(write.reserved_at), write.reserved_at, write.held_nano),
        *(call.status, write.at, call.cost_nano, call.estimated, write.uncertain),
        *(call.attempt, call.started_ms, call.latency_ms),
        *(counts if max(counts) <= MOST_TOKENS else [min(n, MOST_TOKENS) for n in counts]),
        *(call.truncated, call.clamped, call.error),
    )


@lru_cache(maxsize=1024)
def _charged(accounts: tuple[tuple[str, str], ...]) -> tuple[str | None, str]:
    """The key among the accounts charged, and the month."""
    keys = [owner.removeprefix(KEY_PREFIX) for owner, _ in accounts if owner.startswith(KEY_PREFIX)]
    return (keys[0] if keys else None), accounts[0][1]
