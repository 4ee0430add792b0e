"""The kernel: cells, mailboxes, futures, timers and supervision."""

from runtime.kernel.blocking import BlockingActor, BlockingContext
from runtime.kernel.errors import ActorStopped, AskTimeout, SystemFailed, WrongThread
from runtime.kernel.future import Future
from runtime.kernel.host import Host, Service
from runtime.kernel.system import REQUESTS, Statistics, System

__all__ = [
    "REQUESTS",
    "ActorStopped",
    "AskTimeout",
    "BlockingActor",
    "BlockingContext",
    "Future",
    "Host",
    "Service",
    "Statistics",
    "System",
    "SystemFailed",
    "WrongThread",
]
