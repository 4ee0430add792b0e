"""What a run that nobody will ask for again has to write waits for its end, half a second at most.

Of such a run a crash leaves nothing to carry on, and the leases answer for its money meanwhile.  So
a quick one is written once, whole, in the transaction that its end waits for anyway.  Its writes
keep their order; an attempt that is settled or released while they wait was never reserved.

A run that takes longer is written as it goes from then on.  What storage knows of its holds must
not wait: their money may be lent again as soon as they are settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from actors.protocol import AttemptReleased, AttemptReserved, AttemptSettled, Write


@dataclass(eq=False, slots=True)
class Bundle:
    """All writes of one run; the first of them is from `since`."""

    since: float
    writes: list[Write] = field(default_factory=list)
    reserved: dict[str, AttemptReserved] = field(default_factory=dict)

    def add(self, write: Write) -> None:
        match write:
            case AttemptReserved():
                self.reserved[write.attempt] = write
            case AttemptReleased():
                del self.reserved[write.attempt]
            case AttemptSettled():
                del self.reserved[write.call.attempt_id]
                self.writes.append(write)
            case _:
                self.writes.append(write)

    def __iter__(self) -> Iterator[Write]:
        yield from self.writes
        yield from self.reserved.values()


class Bundles:
    """By run, the oldest first."""

    def __init__(self) -> None:
        self._bundles: dict[str, Bundle] = {}

    def __len__(self) -> int:
        return len(self._bundles)

    def add(self, run: str, write: Write, now: float) -> None:
        if (bundle := self._bundles.get(run)) is None:
            bundle = self._bundles[run] = Bundle(now)
        bundle.add(write)

    def take(self, run: str) -> Iterator[Write]:
        """The writes of a run, if there are any."""
        if (bundle := self._bundles.pop(run, None)) is not None:
            yield from bundle

    def take_all(self) -> Iterator[Write]:
        for run in list(self._bundles):
            yield from self.take(run)

    def since(self, until: float) -> list[str]:
        """The runs that began to wait by then."""
        runs = []
        for run, bundle in self._bundles.items():
            if bundle.since > until:
                break
            runs.append(run)
        return runs
