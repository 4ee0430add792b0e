"""`planhub check`: is the configuration right, and can its vendors be reached?"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import msgspec
from msgspec import Struct
from rich.table import Table
from rich.text import Text

from runtime.cli.ends import DONE, FAILED
from runtime.cli.setup import configured
from runtime.cli.terminal import stdout, write, write_json
from runtime.config import Config, Provider, connections, defaults_toml, vendor_settings
from runtime.dialects.gemini import versioned
from runtime.transport.unusual import unusual_at
from runtime.vendors import VendorConnection

REACH_WITHIN_S = 10.0


class VendorCheck(Struct, frozen=True, kw_only=True):
    """A vendor: how it is reached, whether its key is present, and what came of trying."""

    provider: str
    dialect: str
    base_url: str
    path: str
    key: str
    reached: bool
    note: str

    @property
    def is_well(self) -> bool:
        return self.reached and self.key != "missing"


def run_check(*, defaults: bool, json: bool, config: Path | None) -> int:
    if defaults:
        write(defaults_toml())
        return DONE
    settings = configured(config)
    vendors = _vendors(settings)
    if json:
        write_json({"config": settings.source, "models": len(settings.models), "vendors": vendors})
    else:
        _print(settings, vendors)
    return DONE if all(vendor.is_well for vendor in vendors) else FAILED


def _vendors(settings: Config) -> list[VendorCheck]:
    present = {vendor.provider: vendor.key_present for vendor in vendor_settings(settings)}
    return [
        _checked(provider, connection, present[provider.id])
        for provider, connection in zip(settings.providers, connections(settings), strict=True)
    ]


def _checked(provider: Provider, connection: VendorConnection, present: bool) -> VendorCheck:
    if provider.dialect == "simulated":
        reached, note, path = True, "answers offline", "in this process"
    else:
        (reached, note), path = _reach(connection), _path(connection.base_url)
    return VendorCheck(
        provider=provider.id,
        dialect=provider.dialect,
        base_url=provider.url,
        path=path,
        key="not needed" if provider.key_env is None else "present" if present else "missing",
        reached=reached,
        note=note,
    )


def _path(url: str) -> str:
    why = unusual_at(url)
    return "reactor" if why is None else f"httpx: {why}"


def _reach(connection: VendorConnection) -> tuple[bool, str]:
    """Asks for the vendor's list of models, which costs nothing."""
    import httpx

    url, headers = _listing(connection)
    began = perf_counter()
    try:
        response = httpx.get(url, headers=headers, timeout=REACH_WITHIN_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return False, str(error).lower() or type(error).__name__
    took = f"{(perf_counter() - began) * 1000:.0f} ms"
    if response.status_code in (401, 403) or "API key not valid" in response.text:
        return False, f"answered {response.status_code} in {took}: the key is not accepted"
    return response.status_code < 500, f"answered {response.status_code} in {took}"


def _listing(connection: VendorConnection) -> tuple[str, dict[str, str]]:
    base = connection.base_url.rstrip("/")
    key = connection.api_key.reveal() if connection.api_key else ""
    if connection.dialect == "anthropic":
        base = base if base.endswith("/v1") else f"{base}/v1"
        headers = {"anthropic-version": "2023-06-01", "x-api-key": key}
    elif connection.dialect == "gemini":
        base = versioned(base)
        headers = {"x-goog-api-key": key}
    else:
        headers = {"authorization": f"Bearer {key}"}
    return f"{base}/models", headers if key else {}


def _print(settings: Config, vendors: list[VendorCheck]) -> None:
    console = stdout()
    source = settings.source or "no planhub.toml: set up from the environment"
    console.print(Text(f"configuration  {source}: valid, {len(settings.models)} models"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("vendor", "dialect", "address", "reached by", "key", "result"):
        table.add_column(column)
    for vendor in vendors:
        style = "green" if vendor.is_well else "red"
        cells = msgspec.structs.astuple(vendor)[:5]
        table.add_row(*map(Text, cells), Text(vendor.note, style=style))
    console.print(table)
