"""Three hundred simulated worlds: twenty to sixty requests each, and whatever may go wrong."""

import os
import subprocess
import sys

import pytest

from actors.domain.balance import Balance
from runtime.testing.simulation import Simulation, Violation, simulate
from runtime.testing.simulation.loop import command
from runtime.testing.simulation.many import results, violations_of

SEEDS = range(300)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "planhub")


def test_no_rule_is_broken() -> None:
    """Whatever happens, the money adds up and everybody is answered once."""
    found = {seed: broken for seed, broken in results(SEEDS, os.cpu_count() or 1) if broken}
    assert not found, "\n".join(f"{broken[0]}\n  {command(seed)}" for seed, broken in found.items())


def digest(seed: int) -> str:
    simulation = Simulation(seed)
    simulation.run()
    return simulation.digest()


@pytest.mark.parametrize("seed", [0, 3, 24])
def test_a_seed_is_one_course_of_events(seed: int) -> None:
    """The same seed brings the same messages at the same times, in another process too."""
    here = digest(seed)
    code = f"from tests.simulation.test_seeds import digest; print(digest({seed}))"
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert digest(seed) == here == there.stdout.strip()


def test_seeds_differ() -> None:
    assert digest(1) != digest(2)


def test_a_failure_names_the_command_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it needs nothing else."""
    monkeypatch.setattr(Balance, "room", property(lambda self: 10**18))
    seed = next(seed for seed in SEEDS if violations_of(seed)[1])
    with pytest.raises(Violation, match=rf"python -m runtime\.testing\.simulation --seed {seed}$"):
        simulate(seed)
