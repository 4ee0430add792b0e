"""Validation elsewhere: right, limited to its second, and leaving nothing behind."""

from __future__ import annotations

import json

import pytest
import trio

from actors.base import Address, Message
from actors.protocol import Validate, Validated
from runtime.validation import Validator
from runtime.validation.validator import TOO_LONG


async def validate(*works: Validate) -> dict[str, Validated]:
    """Has all of them validated by one service; fails after a while."""
    results: dict[str, Validated] = {}
    all_there = trio.Event()

    def tell(_: Address, message: Message) -> None:
        assert isinstance(message, Validated)
        results[message.ticket] = message
        if len(results) == len(works):
            all_there.set()

    validator = Validator(tell)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(validator.serve)
            await trio.testing.wait_all_tasks_blocked()
            for work in works:
                validator.start("run:x", work)
            await all_there.wait()
            nursery.cancel_scope.cancel()
    return results


@pytest.mark.trio
async def test_it_validates_as_at_home(capfd: pytest.CaptureFixture[str]) -> None:
    """The process says what is wrong, nothing of what is right, and nothing to the terminal."""
    schema = b'{"type": "array", "items": {"pattern": "^a+$"}}'
    results = await validate(
        Validate("good", schema, b'["aaa"]'), Validate("bad", schema, b'["aaa", "b"]')
    )
    assert results["good"].problems == ()
    assert len(results["bad"].problems) == 1
    assert "'b'" in results["bad"].problems[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.trio
async def test_a_schema_that_never_ends_is_killed_and_others_are_served() -> None:
    """A catastrophic expression costs its run a second and no other run anything."""
    endless = b'{"pattern": "^(a|a)*$"}'
    instance = json.dumps("a" * 60 + "!").encode()
    results = await validate(
        Validate("endless", endless, instance), Validate("next", b'{"pattern": "a"}', b'"a"')
    )
    assert results["endless"].problems == (TOO_LONG,)
    assert results["next"].problems == ()
