from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.rig import Vendors, scripted_vendors


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors
