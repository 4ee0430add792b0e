"""`planhub models`: what can be asked, for how much, and whether it can be asked now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from runtime.cli.ends import DONE
from runtime.cli.setup import configured
from runtime.cli.terminal import stdout, usd, write_json
from runtime.config import Config, to_edge, vendor_settings
from runtime.frontends.listing import ModelEntry, model_entry
from runtime.planhub import Planhub


def show_models(*, json: bool, config: Path | None) -> int:
    settings = configured(config)
    models = _models(settings)
    keys = {vendor.provider: vendor.key_present for vendor in vendor_settings(settings)}
    if json:
        entries = [_entry(model, keys[model.provider]) for model in models]
        write_json({"models": entries, "aliases": dict(to_edge(settings).aliases)})
        return DONE
    stdout().print(_table(models, keys))
    for name, id in to_edge(settings).aliases.items():
        stdout().print(Text(f"{name} is {id}"))
    return DONE


def _models(settings: Config) -> list[ModelEntry]:
    """Asked of an engine that keeps no books: the list must not wait for a database."""
    in_memory = replace(settings, server=replace(settings.server, database=None))
    with Planhub.open(in_memory) as hub:
        return [model_entry(state) for state in hub.models()]


def _entry(model: ModelEntry, key_present: bool) -> dict[str, Any]:
    entry: dict[str, Any] = msgspec.to_builtins(model)
    return entry | {"key_present": key_present}


def _table(models: list[ModelEntry], keys: dict[str, bool]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", no_wrap=True)
    table.add_column("vendor")
    table.add_column("weight", justify="right")
    table.add_column("$/M in", justify="right")
    table.add_column("$/M out", justify="right")
    table.add_column("context", justify="right")
    table.add_column("key")
    table.add_column("state")
    for model in sorted(models, key=lambda model: (-model.weight, model.id)):
        table.add_row(
            Text(model.id),
            Text(model.provider),
            str(model.weight),
            *_price(model),
            f"{model.context_tokens:,}" if model.context_tokens else "unknown",
            "present" if keys[model.provider] else Text("missing", style="red"),
            _state(model),
        )
    return table


def _price(model: ModelEntry) -> tuple[str, str]:
    if model.price is None:
        return "unknown", "unknown"
    return usd(model.price.input_usd_per_mtok), usd(model.price.output_usd_per_mtok)


def _state(model: ModelEntry) -> Text:
    if not model.enabled:
        return Text("disabled", style="dim")
    if not model.available:
        return Text(model.reason, style="red")
    return Text("available", style="green")
