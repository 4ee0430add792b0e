"""Ids of runs sort by time, and tell nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from runtime.run_ids import IDS_PER_READ, RunIds

NOW = 1_793_491_200.5


def test_an_id_begins_with_its_time() -> None:
    """Twelve digits of milliseconds, twenty that are random."""
    id = RunIds(lambda: NOW).next()
    assert len(id) == 32
    assert int(id[:12], 16) == 1_793_491_200_500
    assert set(id) <= set("0123456789abcdef")


def test_later_ids_sort_behind() -> None:
    """Whatever the random digits are."""
    times = iter([NOW + n / 1000 for n in range(1000)])
    ids = RunIds(lambda: next(times))
    made = [ids.next() for _ in range(1000)]
    assert made == sorted(made)


def test_within_a_moment_each_is_another() -> None:
    """However many are asked for, on whatever thread; no random digit is used twice."""
    ids = RunIds(lambda: NOW)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.next(), range(8 * IDS_PER_READ)))
    assert len({id[12:] for id in made}) == len(made)


def test_engines_do_not_share_their_ids() -> None:
    """Those of another process cannot be told from one's own."""
    assert RunIds(lambda: NOW).next() != RunIds(lambda: NOW).next()
