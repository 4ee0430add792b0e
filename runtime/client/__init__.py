"""Clients of the msgpack socket: :class:`Client` for plain threads, :class:`AsyncClient` for trio
and asyncio.

`plans` is what is asked and waited for, `talk` the client's side of a conversation without the
connection, `link` the one thread that connects, sends and reads, `clients` what is used.
"""

from runtime.client.clients import AsyncClient, Client
from runtime.client.plans import RemotePlan, Unreachable

__all__ = ["AsyncClient", "Client", "RemotePlan", "Unreachable"]
