"""`planhub plan`: one request in this process, watched on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from runtime.cli.dry_run import draw
from runtime.cli.ends import DONE, WRONG_USE, CommandFailed
from runtime.cli.progress import Progress
from runtime.cli.setup import configured
from runtime.cli.summary import summarise
from runtime.cli.terminal import STANDARD_INPUT, stderr, stdout, write, write_json
from runtime.config import Config
from runtime.frontends.wire import PlanRequest, plan_request
from runtime.planhub import Planhub
from runtime.storage.database import InUse


def run_plan(
    prompt: str,
    fields: dict[str, Any],
    *,
    schema: Path | None,
    params: list[str],
    dry_run: bool,
    json: bool,
    config: Path | None,
) -> int:
    settings = configured(config)
    request = _request(prompt, fields, schema, params)
    if dry_run:
        return _foretell(settings, request, json=json)
    with open_hub(settings) as hub, Progress(stderr()) as progress:
        result = hub.plan(request, on_event=progress.on_event)
    if json:
        write(result.to_json().decode())
        return DONE
    write(result.text)
    summarise(stderr(), result, simulated=settings.is_simulated)
    return DONE


def _foretell(settings: Config, request: PlanRequest, *, json: bool) -> int:
    with open_hub(settings) as hub:
        told = hub.dry_run(request)
    if json:
        write_json(told)
    else:
        draw(stdout(), told)
    return DONE


def open_hub(settings: Config) -> Planhub:
    """With the books on disk; in memory while another planhub writes there, unless a month's limit
    must be kept.
    """
    try:
        return Planhub.open(settings)
    except InUse as error:
        if settings.defaults.monthly_budget_usd is not None:
            raise CommandFailed(
                f"{error}; a monthly budget is kept by one at a time, such as `planhub serve`"
            ) from error
        stderr().print(f"planhub: {error.path} is in use: this run will not be in its ledger")
        return Planhub.open(replace(settings, server=replace(settings.server, database=None)))


def _request(
    prompt: str, fields: dict[str, Any], schema: Path | None, params: list[str]
) -> PlanRequest:
    given = {name: value for name, value in fields.items() if value is not None}
    if schema is not None:
        given["output_schema"] = _read(schema)
    if params:
        given["parameters"] = dict(map(_parameter, params))
    return plan_request(_typed() if prompt == STANDARD_INPUT else prompt, **given)


def _typed() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise CommandFailed("standard input is not UTF-8 text", WRONG_USE) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise CommandFailed(f"cannot read {path}: {why.lower()}", WRONG_USE) from error


def _parameter(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`; the value is JSON where it can be, else the text itself."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise CommandFailed(f"--param must be NAME=VALUE, got {text}", WRONG_USE)
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value
