"""Server-sent events as vendors send them: the data of each, from bytes that are split anywhere."""

from __future__ import annotations

LONGEST_LINE = 4_194_304
OPENINGS = (b"data:", b"event:", b"id:", b"retry:", b":")


class EventReader:
    """`feed` gives the data of the events that are complete by now.

    Only the data is of use: vendors say in it what kind of event it is.  A line that is longer than
    any event is no stream of events; nothing more is read then.
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._length = 0
        self._data: list[bytes] = []
        self._lost = False

    def feed(self, piece: bytes) -> list[bytes]:
        if self._lost:
            return []
        self._partial.append(piece)
        self._length += len(piece)
        if b"\n" not in piece:
            self._lost = self._length > LONGEST_LINE
            return []
        *lines, rest = b"".join(self._partial).split(b"\n")
        self._partial, self._length = [rest], len(rest)
        return [data for line in lines if (data := self._line(line.removesuffix(b"\r")))]

    def _line(self, line: bytes) -> bytes | None:
        """The data of the event that this line ends, if it ends one."""
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            return data
        return None


def is_event_stream(body: bytes) -> bool:
    """Whether a body is one, whatever its headers say."""
    return body[:64].lstrip(b"\xef\xbb\xbf\r\n").startswith(OPENINGS)


def events_in(body: bytes) -> list[bytes]:
    """The data of all events of a body; an end without its empty line is an end."""
    return EventReader().feed(body.removeprefix(b"\xef\xbb\xbf") + b"\n\n")
