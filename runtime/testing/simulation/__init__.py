"""All actors as they are, in a world that a number decides: requests, vendors, storage, faults.

A :class:`Simulation` drives the kernel's synchronous core from a plain loop with one heap of
virtual time: no thread, no socket, no sleep.  What happens is drawn from its seed, so the same seed
is the same run, message for message.  After every turn of an actor the rules are checked
(:mod:`~runtime.testing.simulation.rules`).

The loop (`loop`) moves the time of a `world` on, which outlives every `process` of the actors; the
`clients` talk to the one that is there.  What will happen is drawn by `scenario`, and what comes of
a call or a commit by `vendors` and `storage`.

    python -m runtime.testing.simulation --seed 1234       shows one, message by message
    python -m runtime.testing.simulation --seeds 100000    tries many, on all cores
"""

from runtime.testing.simulation.loop import Simulation, Violation, simulate

__all__ = ["Simulation", "Violation", "simulate"]
