"""Vendors of a simulation: what comes of a call, when, and what is billed for it."""

from __future__ import annotations

from random import Random
from typing import Any, TypeAlias

import msgspec

from actors.domain.model import Usage
from actors.domain.pricing import input_bound
from actors.protocol import Answer, CallAnswered, CallErrored, CallVendor, DialectCrashed
from runtime.testing.simulation.scenario import Fate, Weather

OBJECTS = ('{"a":"xxx"}', '{"a":"xxx","b":1}', '{"a":"xx","c":1}', '{"a":"x","b":1,"c":2}')
BALLOT = b'\\"choice\\"'
CRITICISM = b'\\"severity\\"'

Ending: TypeAlias = CallAnswered | CallErrored | DialectCrashed


class Vendors:
    """All vendors; each call draws its fate."""

    def __init__(self, weather: Weather, draw: Random) -> None:
        self._fates = weather.fates
        self._draw = draw

    def call(self, work: CallVendor) -> tuple[float, Ending, Fate]:
        """What comes of it, and after how many seconds."""
        fate = self._fate()
        after_s = self._draw.choice([0.001, self._draw.uniform(0.1, 3), self._draw.uniform(0, 12)])
        if fate == "hangs" or after_s >= work.timeout_s:
            after_s, fate = work.timeout_s, "hangs"
        return after_s, self._ending(work, fate), fate

    def _fate(self) -> Fate:
        drawn = self._draw.random()
        for fate, share in self._fates.items():
            drawn -= share
            if drawn < 0:
                return fate
        return "answers"

    def _ending(self, work: CallVendor, fate: Fate) -> Ending:
        draw, id = self._draw, work.id
        match fate:
            case "limited":
                wait_s = draw.choice([None, 0.5, 3.0])
                return CallErrored(id, "rate_limited", "429", wait_s, written=True, http_status=429)
            case "breaks":
                kind: Any = draw.choice(["transient", "transient", "fatal", "context_overflow"])
                status = {"fatal": 403, "context_overflow": 400}.get(kind, 500)
                return CallErrored(id, kind, f"{status}", written=True, http_status=status)
            case "garbles":
                kind = draw.choice(["malformed", "refused", "parameter"])
                usage = draw.choice([None, self._usage(work, fate)])
                return CallErrored(id, kind, "garbage", usage=usage, written=True, http_status=200)
            case "hangs":
                return CallErrored(id, "timeout", "no answer", written=True)
            case "crashes":
                return DialectCrashed(id, "as told")
            case _:
                text = "<think>so</think>" if fate == "thinks" else self._text(work)
                known = draw.random() < 0.9
                answer = Answer(text, self._usage(work, fate), fate == "truncates", known)
                return CallAnswered(id, answer)

    def _usage(self, work: CallVendor, fate: Fate) -> Usage:
        """Within the worst case, but for a vendor that overbills."""
        order, draw = work.order, self._draw
        bound = input_bound(order.messages, order.schema)
        sent = max(1, bound if draw.random() < 0.1 else bound // 4)
        cached = draw.choice([0, sent // 2])
        written = draw.choice([0, (sent - cached) // 3])
        most = order.max_tokens
        output = draw.choice([most, draw.randint(1, most), min(most, 50)])
        if fate == "overbills":
            output = most * 3
        return Usage(sent - cached - written, cached, written, output, output // 3)

    def _text(self, work: CallVendor) -> str:
        draw, order = self._draw, work.order
        if BALLOT in order.messages:
            return self._verdict(order.messages)
        if CRITICISM in order.messages and draw.random() < 0.8:
            return self._critique()
        if order.schema is None:
            return draw.choice(["an answer", "another answer", "{}", "no flaws"])
        return draw.choice([*OBJECTS, '{"a":1}', "no JSON"])

    def _critique(self) -> str:
        severities = self._draw.sample(["blocking", "major", "minor"], self._draw.randint(0, 2))
        findings = [{"severity": severity, "claim": "a flaw"} for severity in severities]
        return msgspec.json.encode({"findings": findings}).decode()

    def _verdict(self, messages: bytes) -> str:
        if self._draw.random() < 0.15:
            return "I cannot decide"
        prompt: str = msgspec.json.decode(messages)[-1]["content"]
        schema = prompt.rpartition("JSON Schema:")[2]
        try:
            choices = msgspec.json.decode(schema)["properties"]["choice"]["enum"]
        except msgspec.DecodeError:
            return "it is asked for again, without its schema"
        verdict = {
            "findings": [{"label": label, "finding": "well"} for label in choices[:-2]],
            "comparison": "so and so",
            "margin": self._draw.choice(["clear", "narrow"]),
            "choice": self._draw.choice(choices),
        }
        return msgspec.json.encode(verdict).decode()
