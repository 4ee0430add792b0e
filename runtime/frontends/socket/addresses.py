"""Where the socket is served: binding it, and leaving nothing behind."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from runtime.config import socket_address
from runtime.frontends.admission import CannotServe, Ring, refuse_open_door

BACKLOG = 2_048
PRIVATE = 0o600
CONNECT_S = 1.0


class Listener:
    """A socket that listens, and the name of its place as clients write it."""

    def __init__(self, listening: socket.socket, path: Path | None = None) -> None:
        listening.setblocking(False)
        self.socket = listening
        self._path = path
        self._inode = None if path is None else path.stat().st_ino

    def __repr__(self) -> str:
        return f"<Listener {self.name}>"

    @property
    def name(self) -> str:
        if self._path is not None:
            return f"unix:{self._path}"
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def close(self) -> None:
        """Closes it; the file that it had is removed, unless it has become another's."""
        self.socket.close()
        if self._path is not None:
            with suppress(FileNotFoundError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()


def listen(address: str, ring: Ring | None = None) -> Listener:
    """Listens at `HOST:PORT` or `unix:PATH`; raises CannotServe, ValueError for no address.

    Without keys TCP is for this machine alone.  A Unix socket is its user's alone; the file of a
    server that has died is replaced.
    """
    place = socket_address(address)
    if isinstance(place, tuple):
        refuse_open_door(place[0], ring)
    try:
        return _listen_unix(place) if isinstance(place, Path) else _listen_tcp(*place)
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number).lower() if number else str(error)
        raise CannotServe(
            f"cannot listen on {address}: {why}; choose another with --socket HOST:PORT or"
            " unix:PATH"
        ) from error


def _listen_tcp(host: str, port: int) -> Listener:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return Listener(socket.create_server((host, port), family=family, backlog=BACKLOG))


def _listen_unix(path: Path) -> Listener:
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        os.fchmod(listening.fileno(), PRIVATE)  # so that the file never has any other mode
        listening.bind(str(path))
        path.chmod(PRIVATE)
        listening.listen(BACKLOG)
        return Listener(listening, path)
    except BaseException:
        listening.close()
        raise


def _remove_stale(path: Path) -> None:
    """A socket that nobody listens at is what a killed server leaves behind."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe(f"cannot listen on unix:{path}: there is a file; choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise CannotServe(f"cannot listen on unix:{path}: another server does; end it first")
