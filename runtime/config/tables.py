"""A configuration as the parts of the engine take it: models, vendors' settings, the edge."""

from __future__ import annotations

from actors.domain.model import Model, Price
from actors.domain.money import nano_from_usd
from actors.protocol import VendorSettings
from runtime.config.checks import resolve_aliases
from runtime.config.settings import Config, Defaults, ModelRow, Provider
from runtime.frontends.wire import Edge
from runtime.prices import Facts, full_price, look_up
from runtime.vendors import VendorConnection

USUAL_MAX_TOKENS = Defaults().max_tokens


def to_models(config: Config) -> tuple[Model, ...]:
    """The model table: what the configuration says goes before what is looked up."""
    providers = {provider.id: provider for provider in config.providers}
    return tuple(_model(row, providers[row.provider]) for row in config.models)


def vendor_settings(config: Config) -> tuple[VendorSettings, ...]:
    """What each vendor's pool must know."""
    return tuple(
        VendorSettings(
            provider=provider.id,
            max_concurrency=provider.max_concurrency,
            max_waiting=provider.max_waiting,
            requests_per_minute=provider.requests_per_minute,
            tokens_per_minute=provider.tokens_per_minute,
            timeout_s=provider.timeout_s,
            key_present=provider.key_env is None or provider.id in config.keys,
        )
        for provider in config.providers
    )


def connections(config: Config) -> tuple[VendorConnection, ...]:
    """How each vendor is reached."""
    return tuple(
        VendorConnection(
            provider=provider.id,
            dialect=provider.dialect,
            base_url=provider.url,
            api_key=config.keys.get(provider.id),
            connect_timeout_s=provider.connect_timeout_s,
            first_byte_timeout_s=provider.first_byte_timeout_s,
            timeout_s=provider.timeout_s,
            max_response_bytes=provider.max_response_bytes,
            simulated=provider.simulated,
        )
        for provider in config.providers
    )


def to_edge(config: Config) -> Edge:
    """What requests are checked against, and completed with."""
    defaults = config.defaults
    return Edge(
        models=frozenset(row.id for row in config.models),
        aliases=resolve_aliases(config),
        defaults=defaults,
        limit_nano=_limit(defaults.max_budget_usd),
        monthly_limit_nano=_limit(defaults.monthly_budget_usd),
        latency_s=defaults.deadline_s,
        # The usual value is left to each model, which may take less.
        max_tokens=None if defaults.max_tokens == USUAL_MAX_TOKENS else defaults.max_tokens,
    )


def _limit(usd: float | None) -> int | None:
    return None if usd is None else nano_from_usd(usd)


def _model(row: ModelRow, provider: Provider) -> Model:
    facts = _facts(row, provider)
    return Model(
        id=row.id,
        provider=row.provider,
        upstream=row.upstream_name,
        weight=row.weight,
        enabled=row.enabled,
        family=row.family or row.provider,
        context_tokens=row.context_tokens or facts.context_tokens,
        max_output_tokens=row.max_output_tokens or facts.max_output_tokens,
        price=_price(row, facts),
        free=row.free,
    )


def _facts(row: ModelRow, provider: Provider) -> Facts:
    told = (row.context_tokens, row.max_output_tokens, row.free or row.input_usd_per_mtok)
    if provider.dialect == "simulated" or None not in told:
        return Facts()
    return look_up(row.upstream_name, provider.dialect, provider.url)


def _price(row: ModelRow, facts: Facts) -> Price | None:
    if row.free:
        return Price(0, 0, 0, 0)
    read, write = row.cache_read_usd_per_mtok, row.cache_write_usd_per_mtok
    if row.input_usd_per_mtok is not None and row.output_usd_per_mtok is not None:
        return full_price(row.input_usd_per_mtok, row.output_usd_per_mtok, read, write)
    if facts.price is None:
        return None
    return Price(
        input=facts.price.input,
        output=facts.price.output,
        cache_read=facts.price.cache_read if read is None else nano_from_usd(read),
        cache_write=facts.price.cache_write if write is None else nano_from_usd(write),
    )
