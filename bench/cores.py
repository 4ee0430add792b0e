"""The measured process has the first core, whatever loads or answers it the last."""

from __future__ import annotations

import os


def pin(*, measured: bool) -> None:
    """Binds this process, and what it starts, to its core; nothing where there is only one."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0) | set(range(os.cpu_count() or 1)))
    os.sched_setaffinity(0, {cores[0] if measured else cores[-1]})
