"""Has a vote become dearer?  The embedded engine's CPU as a multiple of the bare loop's.

    python -m bench.guard [--record]

Both take turns in one run; the median of the rounds' ratios is compared with the recorded one and
fails above 1.25 times it.  `--record` writes down what is measured now, as what later changes are
compared with: do so after a change that was meant to cost or to save.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.cores import pin
from bench.matrix import require_none_failed, watched
from bench.roster import BARE, DISK

RECORD = Path(__file__).parent / "recorded.json"
LEVEL = 32
ROOM = 1.25


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    pin(measured=False)
    _, engine = watched((BARE, DISK), [LEVEL], given.rounds, seconds=0.7)
    require_none_failed([engine])
    ratio = engine.to_bare
    said = f"{ratio.median:.2f} x the bare loop ({ratio.least:.2f} - {ratio.most:.2f})"
    if given.record:
        RECORD.write_text(json.dumps({"to_bare": round(ratio.median, 2)}) + "\n")
        print(f"recorded: {said}")
        return
    recorded = json.loads(RECORD.read_text())["to_bare"]
    said = f"{said}, recorded {recorded:.2f}"
    if ratio.median > ROOM * recorded:
        sys.exit(f"a vote has become dearer: {said}")
    if ratio.median < recorded / ROOM:
        print("a vote has become cheaper: record it, to keep it so")
    print(f"a vote costs no more than it did: {said}")


if __name__ == "__main__":
    main()
