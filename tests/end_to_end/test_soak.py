"""Many votes at once, ten times over, leave nothing behind; `bench/soak.py` has a thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.soak import Standing, configuration, standing, vote
from runtime import Planhub

VOTES, ROUNDS = 25, 10


@pytest.mark.parametrize("on_disk", [False, True])
def test_nothing_grows(on_disk: bool, tmp_path: Path) -> None:
    """No money is held, and no actor, ask, message, task, thread or file is more than before."""
    database = tmp_path / "planhub.db" if on_disk else None
    with Planhub.open(configuration(VOTES), database=database) as hub:
        seen: list[Standing] = []
        for _ in range(ROUNDS):
            results = vote(hub, VOTES)
            assert {result.status for result in results} == {"complete"}
            assert {len(result.calls) for result in results} == {4}
            assert {result.response["judge_decided"] for result in results} == {True}
            seen.append(standing(hub))
        assert seen[0].held_nano == 0
        assert {then._replace(files=0) for then in seen[1:]} == {seen[-1]._replace(files=0)}
        assert seen[-1].files - seen[1].files <= on_disk  # the log, opened by a first checkpoint
        assert hub.engine.system.restarts == 0
        assert hub.engine.system.overloaded == 0
        assert len(hub.engine.runs) == 0
