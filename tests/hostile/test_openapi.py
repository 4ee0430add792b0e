"""The HTTP interface does what it says of itself, whatever is sent: schemathesis asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from runtime import Planhub
from runtime.config import complete, parse
from runtime.frontends.http import create_app
from runtime.frontends.openapi import openapi_document

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
BOUNDED = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = [
    (method, path)
    for path, item in openapi_document()["paths"].items()
    for method in ("POST", "GET", "DELETE")
    if method.lower() in item
]


@pytest.fixture(scope="module")
def schema() -> Iterator[Any]:
    """The interface in this process, over models that answer at once."""
    quick = {"id": "simulated", "dialect": "simulated", "simulated": {"delay_ms": 0}}
    with Planhub.open(complete(parse({"providers": [quick]}), {})) as hub:
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(hub.engine))


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
        ("POST", "/v1/plan", GenerationMode.NEGATIVE),
    ],
)
def test_what_is_answered_is_what_is_described(
    schema: Any, method: str, path: str, mode: GenerationMode
) -> None:
    """Its status is documented, its body is of the documented form; and never is it a 500."""
    operation = schema[path][method]

    @BOUNDED
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url="http://localhost")
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
