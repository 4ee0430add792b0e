"""Who may ask over HTTP: keys where there are any, and else only this machine's own programs."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from actors.errors import Forbidden, PlanError
from runtime.frontends.hub import Hub
from runtime.keys import ApiKey, Scope
from runtime.runs import RunView


class Ring(Protocol):
    """What is needed of :class:`runtime.keys.KeyRing`."""

    @property
    def required(self) -> bool: ...

    def admit(self, presented: str | None, scope: Scope) -> ApiKey: ...

    def count(self, key: ApiKey) -> None: ...


class UnknownRun(PlanError):
    """There is no such run, or it is another key's."""

    code = "unknown_run"
    http_status = 404


def is_loopback(host: str) -> bool:
    """Whether a host, as an address or a name, is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Decides on each request by its headers.  Without a ring no key was ever created."""

    def __init__(self, ring: Ring | None) -> None:
        self._ring = ring

    def admit(self, headers: Headers, scope: Scope) -> ApiKey | None:
        """The key of a request; None where no keys are asked for.

        Raises Unauthorized or Forbidden.
        """
        if self._ring is None or not self._ring.required:
            _refuse_foreign(headers)
            return None
        return self._ring.admit(_presented(headers), scope)

    def count(self, key: ApiKey | None) -> None:
        """Counts one request of a key; raises RateLimited."""
        if key is not None and self._ring is not None:
            self._ring.count(key)


def visible_run(hub: Hub, run_id: str, key: ApiKey | None) -> RunView:
    """A run, if it is the key's own or the key may see all; raises :class:`UnknownRun`."""
    view = hub.get(run_id)
    owner = None if key is None else key.id
    sees_all = key is not None and key.may("admin")
    if view is None or not (sees_all or view.key == owner):
        raise UnknownRun("unknown run")
    return view


def _presented(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def _refuse_foreign(headers: Headers) -> None:
    """A web page could send requests to this machine: its Origin, or the Host it had rebound to
    this address, gives it away.
    """
    host = headers.get("host", "")
    if not is_loopback(_name_in(host)):
        raise Forbidden("host not allowed: without api keys this server answers to localhost only")
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        raise Forbidden("origin not allowed: create an api key to be asked by web pages")


def _name_in(host: str) -> str:
    """The name or address without its port; empty for what is neither."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
