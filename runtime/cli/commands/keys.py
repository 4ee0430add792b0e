"""`planhub keys`, as its users see it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from cyclopts import App, Parameter

from runtime.cli.commands.options import ConfigFile, Json

Scope: TypeAlias = Literal["plan", "chat", "admin"]

EXAMPLES = """Examples:

  planhub keys create --name ci --monthly-budget-usd 20 --expires 90d
  planhub keys rotate ci
  planhub keys revoke ci
"""

keys = App(
    name="keys",
    help="Create, list, rotate and revoke API keys of the server.",
    help_epilogue=EXAMPLES,
)


@keys.command
def create(
    name: str,
    *,
    scope: Annotated[list[Scope] | None, Parameter(negative=())] = None,
    monthly_budget_usd: float | None = None,
    expires: str | None = None,
    rate: int | None = None,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Create a key and print it, once.

    Parameters
    ----------
    name
        What to call it.
    scope
        What it may do; may be repeated. Without any: all but admin.
    monthly_budget_usd
        What it may spend in a calendar month.
    expires
        A date (2027-01-31, from when on it is invalid) or a time from now (30d, 12h).
    rate
        Requests per minute.
    """
    from runtime.cli.keys import create_key

    return create_key(
        name,
        scopes=tuple(scope or ()),
        monthly_budget_usd=monthly_budget_usd,
        expires=expires,
        rate=rate,
        json=json,
        config=config,
    )


@keys.command(name="list")
def list_(*, json: Json = False, config: ConfigFile = None) -> int:
    """List all keys; none of them can be shown again."""
    from runtime.cli.keys import list_keys

    return list_keys(json=json, config=config)


@keys.command
def rotate(name: str, *, json: Json = False, config: ConfigFile = None) -> int:
    """Replace a key by a new one of the same name and limits, and print it, once.

    Parameters
    ----------
    name
        The key's name or id.
    """
    from runtime.cli.keys import rotate_key

    return rotate_key(name, json=json, config=config)


@keys.command
def revoke(name: str, *, json: Json = False, config: ConfigFile = None) -> int:
    """End a key for good; a running server heeds it within two seconds.

    Parameters
    ----------
    name
        The key's name or id.
    """
    from runtime.cli.keys import revoke_key

    return revoke_key(name, json=json, config=config)
