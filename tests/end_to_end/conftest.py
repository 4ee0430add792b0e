from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.rig import Vendors, configured, scripted_vendors
from tests.end_to_end.shell import Shell


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors


@pytest.fixture
def shell(vendors: Vendors, tmp_path: Path) -> Shell:
    """A folder with a planhub.toml, and the keys in the environment."""
    config = configured(vendors)
    providers = (
        f'[[providers]]\nid = "{p.id}"\ndialect = "{p.dialect}"\nbase_url = "{p.base_url}"\n'
        f'api_key_env = "{p.api_key_env}"\n'
        for p in config.providers
    )
    models = (
        f'[[models]]\nid = "{m.id}"\nprovider = "{m.provider}"\nweight = {m.weight}\n'
        f"input_usd_per_mtok = {m.input_usd_per_mtok}\n"
        f"output_usd_per_mtok = {m.output_usd_per_mtok}\n"
        for m in config.models
    )
    (tmp_path / "planhub.toml").write_text("\n".join((*providers, *models)))
    return Shell(tmp_path, OPENAI_API_KEY="test-key", ANTHROPIC_API_KEY="test-key")
