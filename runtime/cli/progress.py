"""What a run is doing, live on a terminal, and gone when it has ended."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from runtime.cli.terminal import printable, usd
from runtime.runs import OnEvent

REFRESH_PER_S = 10
LEAST_LINES = 3
"""Of the answer, however many calls there are."""


class Progress:
    """A line per call, and the end of the answer as it is written.

    `show` takes the events of a run, on any thread.  Where the console is no terminal nothing is
    written, and nothing is asked for.
    """

    def __init__(self, console: Console) -> None:
        self._calls: list[_Call] = []
        self._spent_usd = 0.0
        self._mode = ""
        self._text = ""
        self._console = console
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )
        self._visible = console.is_terminal

    def __enter__(self) -> Progress:
        if self._visible:
            self._live.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._visible:
            self._live.stop()

    @property
    def on_event(self) -> OnEvent | None:
        """Whom to tell of the run."""
        return self.show if self._visible else None

    def show(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "run_started", "mode": mode}:
                self._mode = mode
            case {"event": "call_started"}:
                self._calls = [*self._calls, _Call(event)]
            case {"event": "call_finished", "cost_usd": cost}:
                self._spent_usd += cost
                self._end(event, event["status"], usd(cost))
            case {"event": "call_failed", "error": error}:
                self._end(event, "failed", error)
            case {"event": "call_cancelled"}:
                self._end(event, "cancelled", "")
            case {"event": "text", "text": text}:
                self._text += text
            case {"event": "text_reset"}:
                self._text = ""

    def _end(self, event: dict[str, Any], status: str, note: str) -> None:
        running = (call for call in self._calls if call.status is None and call.is_of(event))
        if (call := next(running, None)) is not None:
            call.end(status, note)

    def _render(self) -> RenderableType:
        ended = sum(call.status is not None for call in self._calls)
        head = f"{self._mode or 'starting'}: {ended} of {len(self._calls)} calls answered"
        lines = Table.grid(padding=(0, 2))
        for call in self._calls:
            lines.add_row(*call.cells())
        title = Text(f"{head}, {usd(self._spent_usd)}", style="bold")
        return Group(title, lines, *self._latest(self._console.height - len(self._calls) - 2))

    def _latest(self, room: int) -> list[RenderableType]:
        """As many lines of the answer so far as there is room for."""
        room, width = max(LEAST_LINES, room), self._console.width
        text = Text(printable(self._text[-room * width :]), style="dim")
        return [*text.wrap(self._console, width)[-room:]] if text else []


class _Call:
    """One attempt; `status` is None while it runs."""

    def __init__(self, event: dict[str, Any]) -> None:
        self._is = (event["role"], event["model"], event["attempt"])
        self._began = time.monotonic()
        self._took: float | None = None
        self._spinner = Spinner("dots")
        self._note = ""
        self.status: str | None = None

    def is_of(self, event: dict[str, Any]) -> bool:
        return self._is == (event["role"], event["model"], event["attempt"])

    def end(self, status: str, note: str) -> None:
        self._took = time.monotonic() - self._began
        self._note = note
        self.status = status

    def cells(self) -> tuple[RenderableType, ...]:
        role, model, attempt = self._is
        took = self._took if self._took is not None else time.monotonic() - self._began
        again = f"again ({attempt})" if attempt > 1 else ""
        return self._mark(), role, Text(model), f"{took:.1f} s", Text(self._note or again)

    def _mark(self) -> RenderableType:
        if self.status is None:
            return self._spinner
        return Text("✓", style="green") if self.status == "ok" else Text("✗", style="red")
