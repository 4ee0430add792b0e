"""`planhub serve`: the Plan API over HTTP until a signal says to stop."""

from __future__ import annotations

import gc
import logging
import signal
from pathlib import Path

from runtime import telemetry
from runtime.cli.ends import DONE, INTERRUPTED, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import write
from runtime.config import Config, ConfigError, split_address
from runtime.engine import Engine
from runtime.frontends.admission import CannotServe
from runtime.frontends.http import serve
from runtime.keys import KeyRing
from runtime.planhub import Planhub
from runtime.storage.database import connect

logger = logging.getLogger("planhub.config")


def run_serve(http: str | None, socket: str | None, path: Path | None) -> int:
    if socket is not None:
        raise CommandFailed("--socket is not available yet: serve with --http", WRONG_USE)
    config = configured(path)
    host, port = _address(http or config.server.http)
    telemetry.configure(config.log)
    database = database_of(config)
    connect(database).close()  # made and migrated by one, before two use it
    with Planhub.open(config) as hub:
        hub.ledger()  # waits for the books
        # What lives from here on lives as long as the server: the collector need not look at it.
        gc.collect()
        gc.freeze()
        keys = KeyRing(lambda: connect(database, read_only=True))
        try:
            stopped_by = serve(
                hub.engine,
                host,
                port,
                keys=keys,
                max_request_bytes=config.server.max_request_bytes,
                on_listening=lambda url: write(_welcome(url, config, keys.required)),
                on_reload=lambda: _reload(hub.engine, path),
            )
        except CannotServe as error:
            raise CommandFailed(str(error)) from error
        finally:
            keys.close()
    return INTERRUPTED if stopped_by == signal.SIGINT else DONE


def _reload(engine: Engine, path: Path | None) -> None:
    """Takes over the configuration as it is now; one that cannot be used changes nothing."""
    try:
        config = configured(path)
        engine.reload(config)
    except (CommandFailed, ConfigError) as error:
        logger.error("the configuration stays as it was: %s", error)
        return
    telemetry.configure(config.log)
    logger.info("the configuration was read again: %d models", len(config.models))


def _address(text: str) -> tuple[str, int]:
    try:
        return split_address(text)
    except ValueError as error:
        raise CommandFailed(f"--http {error}", WRONG_USE) from error


def _welcome(url: str, config: Config, keys: bool) -> str:
    kind = "simulated models" if config.is_simulated else "models"
    who = "api keys required" if keys else "no api keys, this machine only"
    return f"planhub listens on {url} ({len(config.models)} {kind}; {who})"
