"""The configuration: `planhub.toml` read strictly, or a set-up that needs no file.

`settings` is the file's shape, `loading` reads it, `checks` looks at how its values fit together,
`builtin` has what serves without a file, `tables` gives the engine its parts of it.
"""

from runtime.config.checks import socket_address, split_address
from runtime.config.defaults import defaults_toml
from runtime.config.loading import FILE_NAME, ConfigError, complete, load, parse
from runtime.config.settings import (
    Config,
    ConfigFile,
    Defaults,
    Journal,
    Log,
    ModelRow,
    Provider,
    Server,
    Simulated,
)
from runtime.config.tables import connections, to_edge, to_models, vendor_settings

__all__ = [
    "FILE_NAME",
    "Config",
    "ConfigError",
    "ConfigFile",
    "Defaults",
    "Journal",
    "Log",
    "ModelRow",
    "Provider",
    "Server",
    "Simulated",
    "complete",
    "connections",
    "defaults_toml",
    "load",
    "parse",
    "socket_address",
    "split_address",
    "to_edge",
    "to_models",
    "vendor_settings",
]
