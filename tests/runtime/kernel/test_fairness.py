"""The dispatcher beside other tasks of its loop."""

from __future__ import annotations

import trio

from actors.base import ChildSpec, Restart
from tests.runtime.kernel.rig import PATIENCE_S, Log, Probe, ProbeMessage, Say
from tests.runtime.kernel.test_embedding import host


class Busy(Probe):
    """Tells itself whatever it is told, for ever."""

    def receive(self, message: ProbeMessage) -> None:
        self.ctx.tell(self.ctx.address, message)


def test_the_dispatcher_shares_its_loop() -> None:
    """While an actor keeps itself busy for ever, other tasks have their turns and timers fire."""

    async def main() -> None:
        async with host().running() as system:
            system.spawn(ChildSpec("busy", lambda ctx: Busy(ctx, Log()), Restart.TEMPORARY))
            for n in range(100):
                system.tell("busy", Say(str(n)))
            rung = trio.Event()
            system.arm(system.clock(), lambda _: rung.set())
            with trio.fail_after(PATIENCE_S):
                for _ in range(50):
                    await trio.lowlevel.checkpoint()
                await rung.wait()
            assert system.statistics().ready == 1
            system.stop("busy")

    trio.run(main)
