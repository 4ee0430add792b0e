"""`planhub serve`, as its users see it."""

from __future__ import annotations

from pathlib import Path

from runtime.cli.commands.options import ConfigFile


def serve(
    *,
    http: str | None = None,
    socket: str | None = None,
    socket_cert: Path | None = None,
    socket_key: Path | None = None,
    config: ConfigFile = None,
) -> int:
    """Serve the Plan API over HTTP and the msgpack socket.

    Stops on Ctrl-C or SIGTERM, once what runs has been answered.

    Parameters
    ----------
    http
        HOST:PORT to listen on; by default 127.0.0.1:8080.
    socket
        HOST:PORT or unix:PATH for the msgpack socket; by default 127.0.0.1:8081, unless --http
        alone is given.
    socket_cert
        A certificate with its chain, as PEM: the socket then speaks TLS.
    socket_key
        The certificate's key, where it is in a file of its own.
    """
    from runtime.cli.serve import Places, run_serve

    return run_serve(Places(http, socket, socket_cert, socket_key), config)
