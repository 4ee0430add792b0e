"""What the kernel relies on in pykka, and what pykka's users may rely on here."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pykka
import pytest
from pykka import _actor, _envelope, _future, _ref, messages

from runtime.kernel import ActorStopped, Future
from runtime.kernel.blocking import BlockingCell
from runtime.kernel.cell import Cell
from tests.runtime.kernel.rig import Answer, Mute, Question, Rig, Say, error_of


def test_the_version_is_the_one_that_was_read() -> None:
    """The hooks below are not public: another minor version has to be read again."""
    major, minor, *_ = map(int, version("pykka").split("."))
    assert (major, minor) == (4, 5)


def test_the_hooks_are_there() -> None:
    """What cells override is what pykka calls, and what they set is what its refs read."""
    for hook in ("_create_actor_inbox", "_create_future", "_start_actor_loop"):
        assert hook in _actor.Actor.__abstractmethods__
    start = inspect.getsource(_actor.Actor.start)
    assert "ActorRegistry.register(obj.actor_ref)" in start
    assert "obj._start_actor_loop()" in start
    ref = inspect.getsource(_ref.ActorRef.__init__)
    for attribute in ("actor_urn", "actor_inbox", "actor_stopped"):
        assert f"actor.{attribute}" in ref
    assert "_create_future()" in inspect.getsource(_ref.ActorRef.ask)
    assert "_ActorStop()" in inspect.getsource(_ref.ActorRef.stop)
    assert messages._ActorStop() is not None
    assert _envelope.Envelope.__slots__ == ["message", "reply_to"]
    assert {"_get_hook", "_get_hook_result"} <= set(_future.Future.__annotations__)


def test_pykka_would_stop_everybody() -> None:
    """The reason why cells run no pykka loop: a BaseException there ends all actors."""
    assert "ActorRegistry.stop_all()" in inspect.getsource(_actor.Actor._actor_loop_running)


def test_cells_are_pykka_actors() -> None:
    """Long-lived ones are in pykka's registry while they live."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.blocking("b"))
    mine = [ref for ref in pykka.ActorRegistry.get_all() if ref in refs(rig, "a", "b")]
    assert {ref.actor_class for ref in mine} == {Cell, BlockingCell}
    assert len({ref.actor_urn for ref in mine}) == 2
    rig.close()
    assert not any(ref in pykka.ActorRegistry.get_all() for ref in mine)
    assert not any(ref.is_alive() for ref in mine)


def refs(rig: Rig, *addresses: str) -> list[pykka.ActorRef[Any]]:
    return [rig.system.ref(address) for address in addresses]


def test_a_ref_tells_and_asks() -> None:
    """Through the same mailbox; the asked command gets a `reply_to` of its own."""
    rig = Rig()
    rig.start(rig.probe("a"))
    ref = rig.system.ref("a")
    ref.tell(Say("hello"))
    future = ref.ask(Question("ignored", "t"), block=False)
    rig.run()
    assert isinstance(future, Future)
    assert future.get(timeout=0) == Answer("t", 1)
    assert rig.log.of("a")[-1] == "hello"


def test_a_ref_stops() -> None:
    """After what is queued, for good; whoever asked for it is told."""
    rig = Rig()
    rig.start(rig.probe("a"))
    ref = rig.system.ref("a")
    ref.tell(Say("before"))
    first, second = ref.stop(block=False), ref.stop(block=False)
    asked = ref.ask(Mute("", "t"), block=False)
    rig.run()
    assert first.get() is True
    assert second.get() is True
    assert isinstance(error_of(asked), ActorStopped)
    assert not ref.is_alive()
    assert ref.stop() is False
    late = Future[Any]()
    ref.actor_inbox.put(_envelope.Envelope(messages._ActorStop(), late))
    assert isinstance(error_of(late), ActorStopped)
    rig.advance(10)
    assert rig.log.of("a") == ["started 1", "before", "stopped normal"]


def test_stopping_a_child_that_waits_to_be_restarted() -> None:
    """It ends at once."""
    rig = Rig()
    rig.start(rig.probe("a"))
    rig.system.kill("a")
    rig.run()
    assert rig.system.ref("a").stop(block=False).get() is True


def test_only_messages_cross() -> None:
    """Neither objects nor pykka's proxies do, and only commands are asked."""
    rig = Rig()
    rig.start(rig.probe("a"))
    ref = rig.system.ref("a")
    with pytest.raises(TypeError, match="str is no message"):
        ref.tell("hello")
    with pytest.raises(TypeError, match="ProxyCall is no message"):
        ref.ask(messages.ProxyCall(("turn",), (), {}))
    with pytest.raises(TypeError, match="nothing answers it"):
        ref.ask(Say("hello"))


def test_the_inbox_protocol() -> None:
    """put, get and empty, as pykka has them."""
    rig = Rig()
    rig.start(rig.probe("a"), rig.blocking("b"))
    for address in "ab":
        assert rig.system.ref(address).actor_inbox.empty()
    inbox = rig.system.ref("a").actor_inbox
    inbox.put(_envelope.Envelope(Say("x")))
    assert not inbox.empty()
    assert isinstance(inbox.get(), _envelope.Envelope)
    with pytest.raises(IndexError):
        inbox.get()
    rig.close()
