"""Who may ask, the same at every front end: keys where there are any, else only this machine."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol

from actors.errors import Draining
from runtime.frontends.hub import Hub
from runtime.keys import ApiKey, Scope

DRAIN_RETRY_S = 10.0


class Ring(Protocol):
    """What is needed of :class:`runtime.keys.KeyRing`."""

    @property
    def required(self) -> bool: ...

    def admit(self, presented: str | None, scope: Scope) -> ApiKey: ...

    def count(self, key: ApiKey) -> None: ...


class CannotServe(Exception):
    """The address cannot be served; the text says what to do, in one line."""


class Admission:
    """Decides on each request by the key it comes with.  Without a ring no key was ever created."""

    def __init__(self, hub: Hub, ring: Ring | None) -> None:
        self._hub = hub
        self._ring = ring

    @property
    def asks_for_keys(self) -> bool:
        return self._ring is not None and self._ring.required

    def key(self, presented: str | None, scope: Scope) -> ApiKey | None:
        """The key that was presented; None where no keys are asked for.

        Raises Unauthorized or Forbidden.
        """
        if self._ring is None or not self._ring.required:
            return None
        return self._ring.admit(presented, scope)

    def begin(self, key: ApiKey | None) -> None:
        """Counts one request of a key for a run; raises RateLimited, or Draining."""
        if key is not None and self._ring is not None:
            self._ring.count(key)
        if self._hub.draining:
            raise Draining("shutting down", retry_after_s=DRAIN_RETRY_S)


def is_loopback(host: str) -> bool:
    """Whether a host, as an address or a name, is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_door(host: str, ring: Ring | None) -> None:
    """Without keys nobody but this machine is served; raises :class:`CannotServe`."""
    if not is_loopback(host) and not (ring is not None and ring.required):
        raise CannotServe(
            f"without api keys only this machine may ask: listen on 127.0.0.1 instead of {host},"
            " or create a key first with `planhub keys create`"
        )
