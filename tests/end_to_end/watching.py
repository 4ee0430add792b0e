"""Reading a run's events as a client of HTTP does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.end_to_end.rig import Served

EVENTS = {"accept": "text/event-stream"}


def sse(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream; each says the same of itself in its fields as in its data."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        elif fields:
            event = msgspec.json.decode("\n".join(fields["data"]))
            assert fields["id"] == [str(event["seq"])]
            assert fields["event"] == [event["event"]]
            fields = {}
            yield event


@contextmanager
def streaming(
    at: Served, method: str, path: str, *, body: Any = None, **headers: str
) -> Iterator[Iterator[dict[str, Any]]]:
    """The events as they come; leaving the block leaves the run."""
    with (
        at.client() as client,
        client.stream(method, path, json=body, headers=EVENTS | headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield sse(response.iter_lines())


def watched(at: Served, body: Any, **headers: str) -> list[dict[str, Any]]:
    """All events of a run of its own."""
    with streaming(at, "POST", "/v1/plan", body=body, **headers) as events:
        return list(events)


def rest(at: Served, run: str, after: int | None = None) -> list[dict[str, Any]]:
    """All events of a run after that number."""
    headers = {} if after is None else {"last-event-id": str(after)}
    with at.client() as client:
        response = client.get(f"/v1/plan/{run}/events", headers=headers)
    assert response.status_code in (200, 204), response.text
    return list(sse(response.text.splitlines()))


def text_of(events: Iterable[dict[str, Any]]) -> str:
    """The text since the last reset."""
    text = ""
    for event in events:
        match event["event"]:
            case "text":
                assert event["text"]
                text += event["text"]
            case "text_reset":
                text = ""
    return text


def check(events: list[dict[str, Any]]) -> None:
    """What holds of every run that is watched from its begin to its end."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["run"] for event in events}) == 1
    last = [event["event"] in ("run_finished", "run_failed") for event in events]
    assert last == [False] * (len(events) - 1) + [True]
    finished = events[-1]["event"] == "run_finished"
    assert text_of(events) == (answer_of(events[-1]) if finished else "")


def answer_of(finished: dict[str, Any]) -> str:
    from runtime import PlanResult

    return msgspec.convert(finished["result"], PlanResult).text
