"""The dispatcher beside other tasks of its loop."""

from __future__ import annotations

import trio

from actors.base import ChildSpec, Message
from tests.runtime.kernel.rig import PATIENCE_S, Probe, Say
from tests.runtime.kernel.test_embedding import host


class Busy(Probe):
    """Keeps itself busy for as long as it lives."""

    def receive(self, message: Message) -> None:  # type: ignore[override]
        self.ctx.tell(self.ctx.address, message)


def test_the_dispatcher_shares_its_loop() -> None:
    """While actors keep each other busy for ever, another task gets its turns, and timers fire."""

    async def main() -> None:
        engine = host()
        async with engine.running() as system:
            from actors.base import Restart
            from tests.runtime.kernel.rig import Log

            spec = ChildSpec("busy", lambda ctx: Busy(ctx, Log()), Restart.TEMPORARY)
            system.spawn(spec)
            for n in range(100):
                system.tell("busy", Say(str(n)))
            turns = 0
            with trio.fail_after(PATIENCE_S):
                while turns < 50:
                    await trio.lowlevel.checkpoint()
                    turns += 1
                assert system.statistics().ready == 1
                await trio.sleep(0)
                system.stop("busy")

    trio.run(main)
