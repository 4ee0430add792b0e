"""A server and its scripted vendors, for all tests of a file together."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.end_to_end.rig import Vendors, configured, scripted_vendors, served


@pytest.fixture(scope="module")
def module_vendors() -> Iterator[Vendors]:
    with scripted_vendors() as vendors:
        yield vendors


@pytest.fixture(scope="module")
def client(module_vendors: Vendors) -> Iterator[httpx.Client]:
    with served(configured(module_vendors)) as server, server.client() as client:
        yield client


@pytest.fixture
def vendors(module_vendors: Vendors) -> Vendors:
    return module_vendors
