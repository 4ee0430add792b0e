"""Who may ask over HTTP: keys where there are any, and else only this machine's own programs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from actors.errors import Forbidden, PlanError
from runtime.frontends.admission import Admission, is_loopback
from runtime.frontends.hub import Hub
from runtime.keys import ApiKey, Scope
from runtime.runs import RunView


class UnknownRun(PlanError):
    """There is no such run, or it is another key's."""

    code = "unknown_run"
    http_status = 404


def admitted(admission: Admission, headers: Mapping[str, str], scope: Scope) -> ApiKey | None:
    """The key of a request; None where no keys are asked for.

    Raises Unauthorized or Forbidden.
    """
    if not admission.asks_for_keys:
        _refuse_foreign(headers)
        return None
    return admission.key(_presented(headers), scope)


def visible_run(hub: Hub, run_id: str, key: ApiKey | None) -> RunView:
    """A run, if it is the key's own or the key may see all; raises :class:`UnknownRun`."""
    view = hub.get(run_id)
    owner = None if key is None else key.id
    sees_all = key is not None and key.may("admin")
    if view is None or not (sees_all or view.key == owner):
        raise UnknownRun("unknown run")
    return view


def _presented(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def _refuse_foreign(headers: Mapping[str, str]) -> None:
    """A web page could send requests to this machine: its Origin, or the Host it had rebound to
    this address, gives it away.
    """
    host = headers.get("host", "")
    if not _is_here(host):
        raise Forbidden("host not allowed: without api keys this server answers to localhost only")
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        raise Forbidden("origin not allowed: create an api key to be asked by web pages")


@lru_cache(maxsize=64)
def _is_here(host: str) -> bool:
    return is_loopback(_name_in(host))


def _name_in(host: str) -> str:
    """The name or address without its port; empty for what is neither."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
