"""Errors tell a program the same as a client over HTTP."""

from __future__ import annotations

import pytest

from actors.errors import BadRequest, BudgetExceeded, PlanError, UnpricedModel, error_class


def test_the_code_of_an_error_is_its_own() -> None:
    """Its class's code, unless it was told a more exact one; other errors keep theirs."""
    exact = BadRequest("unknown orchestration mode", code="unknown_mode")
    assert (exact.code, exact.http_status) == ("unknown_mode", 400)
    assert BadRequest("x").code == BadRequest.code == "bad_request"
    assert BadRequest("x", http_status=413).http_status == 413


@pytest.mark.parametrize(
    ("code", "http_status", "expected"),
    [
        ("unpriced_model", 402, UnpricedModel),
        ("unknown_mode", 400, BadRequest),
        ("of a newer version", 402, BudgetExceeded),
        ("of a newer version", 418, PlanError),
    ],
)
def test_a_code_leads_back_to_its_class(
    code: str, http_status: int, expected: type[PlanError]
) -> None:
    """By its own name, else by its status."""
    assert error_class(code, http_status) is expected
