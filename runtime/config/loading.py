"""Reads `planhub.toml`, or does without one."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from runtime.config.builtin import from_environment, simulated_rows
from runtime.config.checks import first_contradiction
from runtime.config.settings import Config, ConfigFile, ModelRow, Provider
from runtime.explain import misfit, unknown_field
from runtime.secret import Secret

FILE_NAME = "planhub.toml"
log = logging.getLogger("planhub.config")


class ConfigError(ValueError):
    """The configuration cannot be used; the text names the file, the key, the value and what is
    allowed, in one line.
    """


def load(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """The configuration to run with.

    Without a `path` it is `planhub.toml` in the current folder, if there is one; else the vendors
    whose keys are in `env`, by default the process's; else the built-in simulated vendor.  Raises
    :class:`ConfigError`.
    """
    env = os.environ if env is None else env
    if path is not None:
        return read(Path(path), env)
    if Path(FILE_NAME).is_file():
        return read(Path(FILE_NAME), env)
    config = complete(from_environment(env), env)
    log.info("no %s: using %s", FILE_NAME, ", ".join(provider.id for provider in config.providers))
    return config


def read(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration in a file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return complete(parse(data), env, str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: it is nested too deep") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(data: dict[str, Any]) -> ConfigFile:
    """The file's content as settings, each value checked by itself."""
    if (stranger := unknown_field(data, ConfigFile)) is not None:
        raise ConfigError(f"unknown key: {stranger}")
    if (sentence := misfit(data, ConfigFile)) is not None:
        raise ConfigError(sentence)
    return msgspec.convert(data, ConfigFile)


def complete(file: ConfigFile, env: Mapping[str, str], source: str | None = None) -> Config:
    """Settings checked against each other, with what they leave to be found: keys from `env`, and
    the built-in models of a simulated vendor that has none.
    """
    models = file.models + tuple(
        row
        for provider in file.providers
        if provider.dialect == "simulated" and not _has_models(provider, file.models)
        for row in simulated_rows(provider.id)
    )
    fields = {name: getattr(file, name) for name in ConfigFile.__struct_fields__}
    config = Config(**{**fields, "models": models}, source=source, keys=_keys(file.providers, env))
    if (sentence := first_contradiction(config)) is not None:
        raise ConfigError(sentence)
    return config


def _has_models(provider: Provider, models: tuple[ModelRow, ...]) -> bool:
    return any(row.provider == provider.id for row in models)


def _keys(providers: tuple[Provider, ...], env: Mapping[str, str]) -> dict[str, Secret]:
    named = {provider.id: env.get(provider.key_env or "") for provider in providers}
    return {id: Secret(key) for id, key in named.items() if key and key.strip()}
