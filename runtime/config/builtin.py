"""The set-ups that need no file: vendors whose keys are in the environment, or simulated ones."""

from __future__ import annotations

from collections.abc import Mapping

from actors.domain.model import Model
from actors.domain.money import usd
from runtime.config.settings import VENDORS, ConfigFile, Defaults, ModelRow, Provider
from runtime.transport.simulated import SIMULATED_ALIASES, simulated_models

MAX_BUDGET_USD = 1.0

_MODELS = {
    "openai": (("gpt-6.1-sol", 9), ("gpt-6.1-terra", 7), ("gpt-6-luna", 4)),
    "anthropic": (("claude-opus-5-5", 9), ("claude-sonnet-5-5", 7), ("claude-haiku-5-5", 4)),
    "gemini": (("gemini-4-argon", 9), ("gemini-3.8-flash", 7), ("gemini-3.5-flash-lite", 4)),
}
_FAMILIES = {"openai": "gpt", "anthropic": "claude", "gemini": "gemini"}
_BASE_URLS = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "gemini": "GEMINI_BASE_URL",
}

# Names that examples use, with the models that stand in for them, best first: the first one whose
# vendor is set up.
_ALIASES = {
    "claude-opus": ("claude-opus-5-5", "gpt-6.1-sol", "gemini-4-argon"),
    "claude-sonnet": ("claude-sonnet-5-5", "gpt-6.1-terra", "gemini-3.8-flash"),
    "gpt-4": ("gpt-6.1-sol", "claude-sonnet-5-5", "gemini-4-argon"),
    "gpt-3.5-turbo": ("gpt-6-luna", "claude-haiku-5-5", "gemini-3.5-flash-lite"),
}


def from_environment(env: Mapping[str, str]) -> ConfigFile:
    """Every vendor whose key is set, with its current models; else the simulated one."""
    vendors = [name for name in VENDORS if env.get(VENDORS[name][1], "").strip()]
    if not vendors:
        return _simulated()
    models = {id: _row(vendor, id, weight) for vendor in vendors for id, weight in _MODELS[vendor]}
    return ConfigFile(
        defaults=Defaults(max_budget_usd=MAX_BUDGET_USD),
        providers=tuple(_provider(vendor, env) for vendor in vendors),
        models=tuple(models.values()),
        aliases={
            name: next(id for id in stand_ins if id in models)
            for name, stand_ins in _ALIASES.items()
        },
    )


def _provider(vendor: str, env: Mapping[str, str]) -> Provider:
    """`OPENAI_BASE_URL` and `ANTHROPIC_BASE_URL` are honoured, as the vendors' own clients do, and
    `GEMINI_BASE_URL` likewise.
    """
    return Provider(
        id=vendor,
        dialect=vendor,  # type: ignore[arg-type]  # the vendors are named as their dialects
        base_url=env.get(_BASE_URLS[vendor]) or None,
        api_key_env=VENDORS[vendor][1],
    )


def _row(vendor: str, id: str, weight: int) -> ModelRow:
    return ModelRow(id=id, provider=vendor, weight=weight, family=_FAMILIES[vendor])


# --- simulated --------------------------------------------------------------------------------


def _simulated() -> ConfigFile:
    return ConfigFile(
        defaults=Defaults(max_budget_usd=MAX_BUDGET_USD),
        providers=(Provider(id="simulated", dialect="simulated"),),
        aliases=dict(SIMULATED_ALIASES),
    )


def simulated_rows(provider: str) -> tuple[ModelRow, ...]:
    """The models that the simulated vendor brings along."""
    return tuple(_row_of(model) for model in simulated_models(provider))


def _row_of(model: Model) -> ModelRow:
    price = model.price
    return ModelRow(
        id=model.id,
        provider=model.provider,
        upstream=model.upstream,
        weight=model.weight,
        family=model.family or None,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        input_usd_per_mtok=None if price is None else usd(price.input),
        output_usd_per_mtok=None if price is None else usd(price.output),
        cache_read_usd_per_mtok=None if price is None else usd(price.cache_read),
        cache_write_usd_per_mtok=None if price is None else usd(price.cache_write),
    )
