"""How a mind criticises: it names what a plan lacks, as far as it sees it."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from runtime.testing.calibrated.items import draws, needed_points, points_in


class Critic(Struct, frozen=True):
    """`notices` is the share of faults that it sees; `invents` of plans it finds a fault in that
    is none.
    """

    notices: float = 0.8
    invents: float = 0.0


def critique(critic: Critic, seed: int, name: str, number: int, plan: str) -> str:
    """Its findings, in the form that critics are asked for."""
    draw = draws("criticises", seed, name, number, plan)
    needed, has = needed_points(seed, number), points_in(plan)
    claims = [
        f"Point {point} is {'missing' if point in needed else 'not needed'}"
        for point in sorted(needed ^ has)
        if draw.random() < critic.notices
    ]
    if draw.random() < critic.invents:
        point = draw.choice(sorted(needed))
        claims.append(f"Point {point} is {'not needed' if point in has else 'missing'}")
    findings = [
        {"severity": "major", "claim": claim, "evidence": "the plan", "fix": "change that"}
        for claim in claims
    ]
    return msgspec.json.encode({"findings": findings, "summary": f"{len(claims)} faults"}).decode()
