"""What the engine is given of a configuration: prices, sizes, vendors' settings."""

from __future__ import annotations

from typing import Any

from actors.domain.model import Model, Price
from runtime.config import ConfigFile, ModelRow, Provider, complete, to_models, vendor_settings
from runtime.prices import look_up

GATEWAY = "http://localhost:1/v1"


def model(dialect: Any = "openai", base_url: str | None = GATEWAY, **fields: Any) -> Model:
    provider = Provider(id="v", dialect=dialect, base_url=base_url)
    row = ModelRow(**{"id": "m", "provider": "v", **fields})
    (made,) = to_models(complete(ConfigFile(providers=(provider,), models=(row,)), {}))
    return made


def test_configured_prices_are_nano_usd_per_million_tokens() -> None:
    """Reading a cache costs as input unless said otherwise, writing one a quarter more."""
    made = model(input_usd_per_mtok=0.15, output_usd_per_mtok=0.6)
    assert made.price == Price(150_000_000, 600_000_000, 150_000_000, 187_500_000)
    made = model(
        input_usd_per_mtok=10.0,
        output_usd_per_mtok=30.0,
        cache_read_usd_per_mtok=5.0,
        cache_write_usd_per_mtok=12.5,
    )
    assert made.price == Price(
        10_000_000_000, 30_000_000_000, 5_000_000_000, 12_500_000_000
    )  # fmt: skip


def test_what_is_absent_is_looked_up() -> None:
    """Price and sizes of a known model, by the vendor's name for it."""
    made = model(id="gpt-4", upstream="gpt-4-0613", base_url=None)
    assert made.price is not None
    assert made.price.input == 30_000_000_000
    assert (made.context_tokens, made.max_output_tokens) == (8_192, 8_192)
    told = model(id="gpt-4", context_tokens=5, cache_read_usd_per_mtok=1.0, base_url=None)
    assert told.price is not None
    assert (told.context_tokens, told.price.cache_read) == (5, 1_000_000_000)


def test_an_unknown_model_has_no_price() -> None:
    """A missing price is never read as zero; `free` alone is."""
    made = model(id="llama-of-mine")
    assert (made.price, made.free, made.context_tokens) == (None, False, None)
    assert model(id="llama-of-mine", free=True).price == Price(0, 0, 0, 0)


def test_the_rest_of_a_row() -> None:
    made = model(weight=0)
    assert (made.weight, made.family, made.upstream) == (0, "v", "m")


def test_one_price_holds_for_every_call() -> None:
    """Where a long input costs more, the context ends before it does."""
    facts = look_up("claude-haiku-5-5", "anthropic", "https://api.anthropic.com")
    assert facts.context_tokens == 100_000
    assert facts.price is not None
    assert facts.price.input == 100_000_000


def test_a_gateway_s_price_is_the_vendor_s_whose_dialect_it_speaks() -> None:
    """Under whatever name the price list has him."""
    direct = look_up("gemini-3.8-flash", "gemini", "https://generativelanguage.googleapis.com")
    assert direct.price is not None
    assert direct.max_output_tokens == 65_536
    assert look_up("gemini-3.8-flash", "gemini", "http://gateway") == direct


def test_vendors_without_their_key_are_known_as_such() -> None:
    """The vendor's own address needs a key; a server of one's own only where one is named."""
    providers = (
        Provider(id="own", dialect="openai"),
        Provider(id="local", dialect="openai", base_url=GATEWAY),
        Provider(id="kept", dialect="openai", base_url=GATEWAY, api_key_env="K"),
    )
    file = ConfigFile(providers=providers, models=(ModelRow(id="m", provider="own"),))
    missing = {s.provider: s.key_present for s in vendor_settings(complete(file, {}))}
    assert missing == {"own": False, "local": True, "kept": False}
    found = vendor_settings(complete(file, {"OPENAI_API_KEY": "k", "K": "k"}))
    assert all(settings.key_present for settings in found)
