"""A scripted vendor on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.testing import ScriptedVendor


@pytest.fixture
def vendor() -> Iterator[ScriptedVendor]:
    with ScriptedVendor(strict=False) as vendor:
        yield vendor
