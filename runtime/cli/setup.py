"""Where a command finds its configuration and its database."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from runtime.cli.ends import WRONG_USE, CommandFailed
from runtime.config import Config, ConfigError, load


def configured(path: Path | None) -> Config:
    """The configuration, with a database: the user's own where none is named."""
    try:
        config = load(path)
    except ConfigError as error:
        raise CommandFailed(str(error), WRONG_USE) from error
    if config.server.database is None:
        config = replace(config, server=replace(config.server, database=str(_own_database())))
    return config


def database_of(config: Config) -> Path:
    assert config.server.database is not None
    return Path(config.server.database)


def _own_database() -> Path:
    """A file in the user's data folder, which nobody else can look into."""
    from platformdirs import user_data_path

    folder = user_data_path("planhub", appauthor=False)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CommandFailed(
            f"cannot use {folder}: {why}; name another place with [server] database in planhub.toml"
        ) from error
    return folder / "planhub.db"
