"""What a watcher has been shown of the answer is, in the end, the answer."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from actors.events import Event, Text, TextReset
from runtime.watching.shown import ShownText


def read(events: Sequence[Event]) -> str:
    """The text since the last reset, as a watcher puts it together."""
    text = ""
    for event in events:
        match event:
            case Text(text=delta):
                assert delta, "a text event brings text"
                text += delta
            case TextReset():
                assert text, "a reset takes something back"
                text = ""
    return text


ATTEMPTS = st.sampled_from(["r.1", "r.2"])
NEWS = st.one_of(
    st.tuples(st.just("begins"), ATTEMPTS),
    st.tuples(st.just("grows"), ATTEMPTS, st.sampled_from(["", "a", "b", "ab"])),
    st.tuples(st.just("fails"), ATTEMPTS),
)


@given(st.lists(NEWS), st.text("ab", min_size=1), st.lists(NEWS))
def test_whatever_happens_the_text_is_the_answer_in_the_end(
    news: list[tuple[str, ...]], answer: str, late: list[tuple[str, ...]]
) -> None:
    """And what still comes of attempts after that changes nothing."""
    shown = ShownText("r")
    events: list[Event] = []
    for name, *given_ in news:
        events += getattr(shown, name)(*given_)
    events += shown.settles(answer)
    for name, *given_ in late:
        assert getattr(shown, name)(*given_) == []
    assert read(events) == answer


def test_a_stream_that_is_the_answer_is_not_told_twice() -> None:
    shown = ShownText("r")
    assert shown.begins("r.1") == []
    assert shown.grows("r.1", "so ") == [Text(run="r", text="so ")]
    assert shown.grows("r.1", "it is") == [Text(run="r", text="it is")]
    assert shown.settles("so it is") == []


def test_an_answer_that_nobody_streamed_comes_whole() -> None:
    assert ShownText("r").settles("so it is") == [Text(run="r", text="so it is")]


def test_another_attempt_voids_what_was_shown() -> None:
    """A repair begins while the text of what is repaired stands."""
    shown = ShownText("r")
    shown.begins("r.1")
    shown.grows("r.1", "no JSON")
    assert shown.begins("r.2") == [TextReset(run="r")]
    assert shown.grows("r.1", "more") == []
    assert shown.settles("{}") == [Text(run="r", text="{}")]


def test_an_attempt_that_fails_voids_its_text() -> None:
    shown = ShownText("r")
    shown.begins("r.1")
    shown.grows("r.1", "half an")
    assert shown.fails("r.1") == [TextReset(run="r")]
    assert shown.fails("r.1") == []


def test_another_answer_than_the_streamed_one_replaces_it() -> None:
    """A run that falls back to its first answer, or an answer without its reasoning."""
    shown = ShownText("r")
    shown.begins("r.3")
    shown.grows("r.3", "a worse one")
    assert shown.settles("the first") == [TextReset(run="r"), Text(run="r", text="the first")]
