"""Runs carried on: after a restart, and after a failure, from what their journal has.

Finished calls are not made again and what they cost counts.  A run is carried on by the version of
its strategy that began it, or not at all: another one might be led elsewhere by the same answers.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace

from actors.errors import JournalDamaged, PlanError, VersionChanged
from actors.protocol import Order
from actors.strategies import STRATEGIES, VERSIONS
from actors.strategies.journal import without_failures
from actors.strategies.run import Run
from runtime.frontends.wire import error_body
from runtime.runs import Course
from runtime.storage import journal, recovery
from runtime.storage.audit import refuse_damaged
from runtime.storage.database import alone, connect, explained
from runtime.storage.journal import Damaged, Journal


def recover(path: Path) -> list[Course]:
    """Closes what the engine before left open in the database, made or migrated if need be; gives
    the runs that are to be carried on.

    One that cannot be is closed and says why.  Raises StorageError.
    """
    courses: list[Course] = []
    with alone(path), explained(path), closing(connect(path)) as connection:
        refuse_damaged(connection, path)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            recovery.begin(connection, time.time())
        for run in journal.unfinished(path):
            try:
                courses += _interrupted(path, run)
            except PlanError as error:
                with connection:
                    recovery.close(connection, run, error_body(error), time.time())
    return courses


def after_failure(kept: Journal | None, order: Order) -> Course:
    """The course of a failed run that is wanted after all, on the terms of this `order`.

    Raises :class:`VersionChanged` or :class:`JournalDamaged`.
    """
    if kept is None:
        return Course(order)
    if kept.order is None:
        return Course(order, (), kept.records, kept.attempts)
    _check_version(kept.order)
    asked = replace(
        kept.order,
        latency_s=order.latency_s,
        profile=order.profile,
        limit_nano=order.limit_nano,
        key_limit_nano=order.key_limit_nano,
        limited=order.limited,
        body_hash=order.body_hash,
    )
    run = Run(STRATEGIES[kept.order.mode](kept.order))
    try:
        steps = without_failures(run, kept.steps)
    except msgspec.DecodeError as error:
        raise JournalDamaged(f"a step cannot be read: {error}", run=order.run) from error
    return Course(asked, steps, kept.records, kept.attempts)


def _interrupted(path: Path, run: str) -> list[Course]:
    kept = load(path, run)
    if kept is None or kept.order is None:
        return []
    _check_version(kept.order)
    return [Course(kept.order, kept.steps, kept.records, kept.attempts)]


def load(path: Path, run: str) -> Journal | None:
    """A run's journal; raises :class:`JournalDamaged`."""
    try:
        return journal.load(path, run)
    except Damaged as error:
        raise JournalDamaged(str(error), run=run) from error


def _check_version(order: Order) -> None:
    if order.strategy != VERSIONS[order.mode]:
        text = "the run was begun by another version of its strategy"
        raise VersionChanged(text, run=order.run)
