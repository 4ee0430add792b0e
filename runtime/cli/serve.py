"""`planhub serve`: the Plan API over HTTP and the socket until a signal says to stop."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from runtime import telemetry
from runtime.cli.ends import DONE, INTERRUPTED, WRONG_USE, CommandFailed
from runtime.cli.setup import configured, database_of
from runtime.cli.terminal import write
from runtime.config import Config, ConfigError, socket_address, split_address
from runtime.engine import Engine
from runtime.frontends.admission import CannotServe
from runtime.frontends.http import serve
from runtime.frontends.socket.addresses import listen
from runtime.frontends.socket.conversation import Limits
from runtime.frontends.socket.server import SocketServer
from runtime.frontends.socket.tls import server_context
from runtime.keys import KeyRing
from runtime.planhub import Planhub
from runtime.reactor import Reactor
from runtime.storage.database import connect

logger = logging.getLogger("planhub.config")

T = TypeVar("T")

START_S = 10.0


class Places(Struct):
    """Where to serve, as given on the command line."""

    http: str | None = None
    socket: str | None = None
    socket_cert: Path | None = None
    socket_key: Path | None = None


def run_serve(places: Places, path: Path | None) -> int:
    config = configured(path)
    host, port = _parsed("--http", split_address, places.http or config.server.http)
    if places.socket is not None:
        _parsed("--socket", socket_address, places.socket)
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
            stopped_by = _serve(hub.engine, host, port, places, config, keys, path)
        except CannotServe as error:
            raise CommandFailed(str(error)) from error
        finally:
            keys.close()
    return INTERRUPTED if stopped_by == signal.SIGINT else DONE


def _serve(
    engine: Engine,
    host: str,
    port: int,
    places: Places,
    config: Config,
    keys: KeyRing,
    path: Path | None,
) -> int | None:
    socket = _socket(engine, places, config, keys)
    try:
        return serve(
            engine,
            host,
            port,
            keys=keys,
            max_request_bytes=config.server.max_request_bytes,
            beside=socket,
            on_listening=lambda url: write(_welcome(url, socket, config, keys.required)),
            on_reload=lambda: _reload(engine, path),
        )
    finally:
        if socket is not None:
            socket.stop()


def _socket(engine: Engine, places: Places, config: Config, keys: KeyRing) -> SocketServer | None:
    """Serves the socket that was asked for, on the command line or in the file; without any
    address on either, the one that is served by default.
    """
    settings = config.server
    asked = places.socket or (settings.socket if settings.names_socket else None)
    if asked is None and (places.http is not None or not Reactor.available()):
        return None
    if not Reactor.available():
        raise CannotServe("the socket needs Linux: serve with --http alone")
    limits = Limits(settings.max_frame_bytes, settings.max_request_bytes, settings.max_in_flight)
    tls = None
    if places.socket_cert is not None:
        tls = server_context(places.socket_cert, places.socket_key)
    listener = listen(asked or settings.socket, keys)
    server = SocketServer(
        engine, listener, engine.reactor, keys=keys, limits=limits, ssl_context=tls
    )
    engine.host.serve_beside(server.serve).get(START_S)
    return server


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


def _parsed(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise CommandFailed(f"{option} {error}", WRONG_USE) from error


def _welcome(url: str, socket: SocketServer | None, config: Config, keys: bool) -> str:
    where = url if socket is None else f"{url} and on the socket {socket.name}"
    kind = "simulated models" if config.is_simulated else "models"
    who = "api keys required" if keys else "no api keys, this machine only"
    return f"planhub listens on {where} ({len(config.models)} {kind}; {who})"
