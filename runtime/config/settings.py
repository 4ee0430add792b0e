"""The shape of `planhub.toml`: every key, its type, its range and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct, field

from runtime.frontends.wire import Orchestration
from runtime.secret import Secret
from runtime.transport.simulated import SimulatedSettings

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]
Usd: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]
UsdPerMtok: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
DialectName: TypeAlias = Literal["openai", "anthropic", "gemini", "simulated"]

VENDORS: dict[str, tuple[str, str]] = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
}
"""The address of each dialect's own vendor, and the variable its key is usually kept in."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that it does not have is an error."""


SOCKET = "127.0.0.1:8081"


class Server(_Table, frozen=True, kw_only=True):
    """`database` None leaves the place to the front end: a file for the user, or memory."""

    http: str = "127.0.0.1:8080"
    socket: str = SOCKET
    database: Annotated[str, Meta(min_length=1, max_length=4_096)] | None = None
    max_request_bytes: Count = 8_388_608
    max_frame_bytes: Count = 8_388_608
    max_in_flight: Count = 1_024
    max_runs: Count = 10_000

    @property
    def names_socket(self) -> bool:
        """Whether the file names one, be it the one that is served without."""
        return self.socket is not SOCKET


class Defaults(Orchestration, frozen=True, kw_only=True):
    """What a request leaves open.  USD limits that are None do not apply."""

    max_budget_usd: Usd | None = None
    monthly_budget_usd: Usd | None = None
    deadline_s: Seconds = 120.0
    max_tokens: Count = 4_096


class Journal(_Table, frozen=True, kw_only=True):
    keep_days: Count = 30
    store_content: bool = True
    durability: Literal["process", "power"] = "process"


class Log(_Table, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    json: bool = False


class Simulated(SimulatedSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a provider of the dialect `simulated` behaves; shares are of its calls, 0 to 1."""


class Provider(_Table, frozen=True, kw_only=True):
    """A vendor.  Without a `base_url` it is the dialect's own, with that vendor's `key_env`; with
    one, it is asked without a key unless `api_key_env` names it.
    """

    id: Name
    dialect: DialectName
    base_url: str | None = None
    api_key_env: str | None = None
    max_concurrency: Count = 64
    max_waiting: Count = 1_024
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    timeout_s: Seconds = 60.0
    connect_timeout_s: Seconds = 10.0
    first_byte_timeout_s: Seconds = 60.0
    max_response_bytes: Count = 33_554_432
    simulated: Simulated | None = None

    @property
    def url(self) -> str:
        return self.base_url or VENDORS.get(self.dialect, ("", ""))[0]

    @property
    def key_env(self) -> str | None:
        """The variable the key is in; None for a server that asks for none."""
        if self.api_key_env is None and self.base_url is None:
            return VENDORS.get(self.dialect, ("", None))[1]
        return self.api_key_env


class ModelRow(_Table, frozen=True, kw_only=True):
    """A model.  What is None is looked up (price, sizes) or follows from the rest."""

    id: Name
    provider: Name
    upstream: Name | None = None
    weight: Annotated[int, Meta(ge=0, le=10)] = 5
    enabled: bool = True
    family: Name | None = None
    context_tokens: Count | None = None
    max_output_tokens: Count | None = None
    input_usd_per_mtok: UsdPerMtok | None = None
    output_usd_per_mtok: UsdPerMtok | None = None
    cache_read_usd_per_mtok: UsdPerMtok | None = None
    cache_write_usd_per_mtok: UsdPerMtok | None = None
    free: bool = False

    @property
    def upstream_name(self) -> str:
        return self.upstream or self.id


class ConfigFile(_Table, frozen=True, kw_only=True):
    """The whole file."""

    server: Server = Server()
    defaults: Defaults = Defaults()
    journal: Journal = Journal()
    log: Log = Log()
    aliases: dict[str, Name] = {}
    providers: tuple[Provider, ...] = ()
    models: tuple[ModelRow, ...] = ()


class Config(ConfigFile, frozen=True, kw_only=True):
    """A configuration that has been checked, with the vendors' keys.

    `source` is the file it came from, None when it was put together without one.  `keys` has a
    secret for each provider whose key was found.
    """

    source: str | None = None
    keys: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """Whether every model that answers is a simulated one."""
        return all(provider.dialect == "simulated" for provider in self.providers)
