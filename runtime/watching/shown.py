"""What has been shown of a run's answer, and what makes it agree with the answer."""

from __future__ import annotations

from actors.events import Text, TextReset


class ShownText:
    """Purely: each method gives the events that its news amount to.

    One attempt at a time shows its text; whoever begins takes over, and what was shown before him
    is void.  Once the answer is known only that is shown.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._shown: list[str] = []
        self._attempt: str | None = None
        self._settled = False

    def __repr__(self) -> str:
        characters = sum(map(len, self._shown))
        return f"<ShownText of {self._run}: {characters} characters by {self._attempt or 'nobody'}>"

    def begins(self, attempt: str) -> list[Text | TextReset]:
        """An attempt at the answer goes to its vendor."""
        if self._settled:
            return []
        self._attempt = attempt
        return self._reset()

    def grows(self, attempt: str, delta: str) -> list[Text | TextReset]:
        """More of an attempt's text has come."""
        if attempt != self._attempt or not delta:
            return []
        self._shown.append(delta)
        return [Text(run=self._run, text=delta)]

    def fails(self, attempt: str) -> list[Text | TextReset]:
        """An attempt has come to nothing."""
        if attempt != self._attempt:
            return []
        self._attempt = None
        return self._reset()

    def settles(self, answer: str) -> list[Text | TextReset]:
        """The answer is known; what is missing of it is shown, or all of it anew."""
        self._settled, self._attempt = True, None
        shown = "".join(self._shown)
        events = [] if answer.startswith(shown) else self._reset()
        missing = answer[len(shown) :] if not events else answer
        self._shown = []
        return [*events, Text(run=self._run, text=missing)] if missing else events

    def drops(self) -> list[Text | TextReset]:
        """There will be no answer."""
        self._settled, self._attempt = True, None
        return self._reset()

    def _reset(self) -> list[Text | TextReset]:
        if not self._shown:
            return []
        self._shown = []
        return [TextReset(run=self._run)]
