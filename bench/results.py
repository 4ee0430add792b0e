"""What a matrix found: a cell per program and concurrency, with its rounds."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.subject import Figures


class Spread(NamedTuple):
    """Over the rounds."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def multiples(rounds: Sequence[Figures], others: Sequence[Figures]) -> Spread:
    """CPU of the one as a multiple of the other's, taken round by round: what disturbs a machine
    for a while disturbs both.
    """
    pairs = zip(rounds, others, strict=True)
    return spread([figures.cpu_ms / other.cpu_ms for figures, other in pairs])


class Cell(NamedTuple):
    """One program at one concurrency; `bare` are the bare loop's figures in the same rounds."""

    name: str
    concurrency: int
    votes: int
    rounds: Sequence[Figures]
    bare: Sequence[Figures]

    @property
    def cpu_ms(self) -> Spread:
        return spread([figures.cpu_ms for figures in self.rounds])

    @property
    def to_bare(self) -> Spread:
        """CPU as a multiple of the bare loop's."""
        return multiples(self.rounds, self.bare)

    @property
    def per_second(self) -> float:
        return statistics.median(figures.per_second for figures in self.rounds)

    @property
    def p50_ms(self) -> float:
        return statistics.median(figures.p50_ms for figures in self.rounds)

    @property
    def p99_ms(self) -> float:
        return statistics.median(figures.p99_ms for figures in self.rounds)

    @property
    def failures(self) -> list[str]:
        return [f"{f.failed} failed: {f.why}" for f in self.rounds if f.failed]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "concurrency": self.concurrency,
            "votes": self.votes,
            "cpu_ms": self.cpu_ms._asdict(),
            "to_bare": self.to_bare._asdict(),
            "per_second": self.per_second,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "failures": self.failures,
            "rounds": [figures._asdict() for figures in self.rounds],
        }


def write(path: Path, cells: Sequence[Cell], **more: Any) -> None:
    """Everything that was seen, with where and when."""
    seen = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "cells": [cell.as_json() for cell in cells],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(seen, indent=1) + "\n")
