"""What the mitigations of a verdict do, as numbers: offline, in a calibrated world.

    python -m bench.verdicts [--votes 2000]

Every row asks the same items of the same simulated models without the mitigation and with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from rich.table import Table

from bench import mitigations
from bench.mitigations import Effect
from bench.table import console
from runtime.testing.calibrated import ATTACKS

COLUMNS = ("without (95 %)", "with (95 %)", "points", "calls")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--votes", type=int, default=2000, help="of each row")
    given = parser.parse_args()
    out = console()
    table = Table(title=f"what the mitigations do, {given.votes} votes each")
    table.add_column("mitigation", no_wrap=True)
    table.add_column("measured")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    with out.status("voting"):
        for found in effects(given.votes):
            table.add_row(*found.row())
    out.print(table)


def effects(votes: int) -> Iterator[Effect]:
    for attack in ATTACKS:
        yield mitigations.fencing(attack, votes)
    yield mitigations.fencing("fence", votes, "undefused")
    yield mitigations.fencing("keyed fence", votes, "undefused")
    yield mitigations.rotation(votes)
    yield mitigations.other_family(votes)
    yield from mitigations.second_look(votes)
    yield from mitigations.jury(votes)
    yield mitigations.early_stop(votes)
    yield mitigations.early_stop(votes, voters=5)
    yield mitigations.early_stop(votes, misjudges=0.2)
    yield mitigations.early_stop(votes, correlation=0.3)
    yield mitigations.majority(votes, misjudges=0.05)
    yield mitigations.majority(votes, misjudges=0.2)
    yield mitigations.converged(votes)
    yield mitigations.keep_best(votes)
    yield mitigations.keep_best(votes, misjudges=0.2)
    yield mitigations.style("long", votes)
    yield mitigations.style("formatted", votes)


if __name__ == "__main__":
    main()
