"""Which method takes what: each class of a union exactly one."""

from __future__ import annotations

from typing import ClassVar

import pytest

from actors.base import Actor, Message
from actors.dispatch import handles, table


class Knock(Message, frozen=True):
    pass


class Ring(Message, frozen=True):
    pass


class Leave(Message, frozen=True):
    pass


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    @handles
    def ring(self, _: Ring) -> None:
        self.rung += 1


class Door(Actor):
    receives: ClassVar[object] = Knock | Ring | Leave
    parts: ClassVar = {"bell": Bell}

    def __init__(self) -> None:
        self.bell = Bell()
        self.seen: list[Knock | Leave] = []

    @handles
    def see(self, who: Knock | Leave) -> None:
        self.seen.append(who)


def test_a_message_reaches_the_method_that_handles_its_class() -> None:
    door = Door()
    for message in (Knock(), Ring(), Leave()):
        door.receive(message)
    assert (door.seen, door.bell.rung) == ([Knock(), Leave()], 1)


def test_a_subclass_may_handle_it_otherwise() -> None:
    class Deaf(Door):
        def see(self, who: Knock | Leave) -> None:
            pass

    door = Deaf()
    door.receive(Knock())
    assert door.seen == []


def test_a_class_that_nobody_handles() -> None:
    with pytest.raises(TypeError, match="Bell does not handle Knock"):
        table(Bell, Ring | Knock)


def test_an_actor_that_forgets_a_message_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="Half does not handle Leave"):

        class Half(Actor):
            receives: ClassVar[object] = Knock | Leave

            @handles
            def open(self, _: Knock) -> None:
                pass


def test_a_class_that_two_methods_handle() -> None:
    class Both(Bell):
        @handles
        def chime(self, _: Ring) -> None:
            pass

    with pytest.raises(TypeError, match="Both handles Ring more than once"):
        table(Both, Ring)
