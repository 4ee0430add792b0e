"""What happens in a simulation, drawn from its seed: the requests, the vendors, the faults.

Each seed draws its own weather: some kinds of fault it has often, some never.  So that a fault is
seen beside every other and also without them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, TypeAlias

from actors.domain.model import Model, Price
from actors.protocol import Mode, Order, Profile, VendorSettings
from actors.strategies import VERSIONS

USD = 1_000_000_000
EPOCH = 1_793_491_170.0
"""The wall clock at time 0: half a minute before November 2026, UTC."""

ARRIVALS_S = 30.0
"""The time in which requests and faults come."""

MODES: tuple[Mode, ...] = ("planning", "adversarial", "vote", "refine", "fuse")
PROFILES: tuple[Profile | None, ...] = (None, "cheap", "normal", "high_confidence")
PLACES = ("storage", "ledger", "judge", "router", "pool:a", "pool:b", "pool:c", "run")

SCHEMA = b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}'
PICKY = (
    b'{"required":["a"],"not":{"properties":{"b":{"const":1},"c":{"const":1}},'
    b'"required":["b","c"]}}'
)
"""What most say in each field may be what nobody may say."""
HEAVY = b'{"type":"object","properties":{"a":{"type":"string","pattern":"^(x+)+$"}}}'

Fate: TypeAlias = Literal[
    "answers",
    "limited",
    "breaks",
    "garbles",
    "truncates",
    "hangs",
    "crashes",
    "thinks",
    "overbills",
]
"""What a vendor does with a call."""


@dataclass(frozen=True)
class Client:
    """Somebody with a request: when it comes, is asked about, and is not wanted any more."""

    at: float
    order: Order
    cancels_at: float | None = None
    asks_at: float | None = None


@dataclass(frozen=True)
class Kill:
    at: float
    address: str


@dataclass(frozen=True)
class Jump:
    """The wall clock is set."""

    at: float
    seconds: float


@dataclass(frozen=True)
class PowerCut:
    """The process dies between two messages."""

    at: float


Fault: TypeAlias = Kill | Jump | PowerCut


@dataclass(frozen=True)
class Weather:
    """How likely the faults of vendors and storage are, from 0 to 1."""

    fates: dict[Fate, float]
    commit_slow: float
    commit_fails: float
    commit_kills: float
    locked: tuple[tuple[float, float], ...]
    shuffled: float
    slow_s: float


@dataclass(frozen=True)
class Scenario:
    seed: int
    clients: tuple[Client, ...]
    faults: tuple[Fault, ...]
    weather: Weather
    models: tuple[Model, ...]
    vendors: tuple[VendorSettings, ...]
    limit_nano: int | None
    key_limits: dict[str, int | None] = field(default_factory=dict)


def scenario(seed: int, requests: tuple[int, int] = (20, 60)) -> Scenario:
    """The scenario of a seed, with between `requests[0]` and `requests[1]` requests."""
    draw = Random(seed)
    limits: dict[str, int | None] = {"k1": None, "k2": _budget(draw, 40), "k3": _budget(draw, 15)}
    clients = [_client(draw, number, limits) for number in range(draw.randint(*requests))]
    return Scenario(
        seed,
        tuple(clients),
        _faults(draw),
        _weather(draw),
        _models(draw),
        tuple(_vendor(draw, name) for name in "abc"),
        draw.choice([None, _budget(draw, 60), _budget(draw, 200)]),
        limits,
    )


def _budget(draw: Random, cents: int) -> int:
    return int(draw.uniform(0.2, 1.5) * cents * USD / 100)


def _client(draw: Random, number: int, limits: dict[str, int | None]) -> Client:
    at = draw.choice([draw.uniform(0, ARRIVALS_S), round(draw.uniform(0, ARRIVALS_S) / 5) * 5.0])
    order = _order(draw, number, at, limits)
    patience = order.latency_s
    return Client(
        at,
        order,
        at + draw.uniform(0, patience) if draw.random() < 0.15 else None,
        at + draw.uniform(0, patience) if draw.random() < 0.15 else None,
    )


def _order(draw: Random, number: int, at: float, limits: dict[str, int | None]) -> Order:
    mode = draw.choice(MODES)
    key = draw.choice([None, *limits])
    limit = draw.choice([None, None, _budget(draw, 2), _budget(draw, 8)])
    size = draw.choice([20, 200, 2000])
    fields: dict[str, Any] = {
        "voters": draw.randint(2, 4),
        "iterations": draw.randint(1, 2) if mode in ("refine", "adversarial") else 0,
        "on_partial": draw.choice(["accept", "refill", "fail"]),
        "profile": draw.choice(PROFILES),
        "schema": draw.choice([None, None, None, SCHEMA, HEAVY, PICKY]),
        "plan_only": draw.random() < 0.1,
        "max_tokens": draw.choice([None, 100, 500, 2000]),
        "wanted": draw.random() < 0.6,
        "early_stop": draw.random() < 0.3,
        "stop": draw.choice(["never", "converged"]),
        "keep_best": draw.random() < 0.3,
        "wait": draw.choice(["all", "all", "quorum"]),
    }
    seed = draw.getrandbits(32)
    if fields["schema"] is not None:
        fields["decide"] = draw.choice(["judge", "majority"])
    return Order(
        f"r{number}",
        mode,
        b'[{"role":"user","content":"' + b"why? " * (size // 5) + b'"}]',
        seed,
        draw.choice([2.0, 5.0, 15.0, 30.0]),
        int(EPOCH + at),
        key=key,
        limit_nano=limit,
        key_limit_nano=limits[key] if key else None,
        limited=True,
        strategy=VERSIONS[mode],
        **fields,
        **_options(Random(seed)),
    )


def _options(draw: Random) -> dict[str, Any]:
    """What few requests ask for; drawn apart, so that one more changes nothing else."""
    return {
        "hedge": draw.random() < 0.5,
        "second_look": draw.random() < 0.3,
        "judges": draw.choice([1, 1, 1, 2, 3, 5]),
        "rubric": draw.choice([(), (), ("it is short", 'it is "true"')]),
    }


def _faults(draw: Random) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    if draw.random() < 0.6:
        kills = draw.randint(1, 8)
        faults += [Kill(draw.uniform(0, ARRIVALS_S), draw.choice(PLACES)) for _ in range(kills)]
    if draw.random() < 0.1:
        at, place = draw.uniform(0, ARRIVALS_S), draw.choice(PLACES)
        faults += [Kill(at + draw.uniform(0, 3), place) for _ in range(draw.randint(3, 8))]
    if draw.random() < 0.4:
        for _ in range(draw.randint(1, 4)):
            seconds = draw.choice([60.0, 3600.0, 40 * 86_400.0]) * draw.uniform(-1, 1)
            faults.append(Jump(draw.uniform(0, ARRIVALS_S), seconds))
    if draw.random() < 0.3:
        faults += [PowerCut(draw.uniform(0, ARRIVALS_S)) for _ in range(draw.randint(1, 2))]
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _weather(draw: Random) -> Weather:
    def sometimes(most: float) -> float:
        return draw.uniform(0, most) if draw.random() < 0.5 else 0.0

    fates: dict[Fate, float] = {
        "limited": sometimes(0.3),
        "breaks": sometimes(0.3),
        "garbles": sometimes(0.2),
        "truncates": sometimes(0.2),
        "hangs": sometimes(0.15),
        "crashes": sometimes(0.03),
        "thinks": sometimes(0.1),
        "overbills": 0.02 if draw.random() < 0.1 else 0.0,
    }
    locked: list[tuple[float, float]] = []
    if draw.random() < 0.3:
        at = draw.uniform(0, ARRIVALS_S)
        locked.append((at, at + draw.choice([0.2, 2.0, 10.0])))
    return Weather(
        fates,
        sometimes(0.5),
        sometimes(0.2),
        0.01 if draw.random() < 0.3 else 0.0,
        tuple(locked),
        sometimes(0.3),
        draw.choice([0.01, 0.5, 7.0]),
    )


def _models(draw: Random) -> tuple[Model, ...]:
    def model(id: str, weight: int, usd: float, **more: Any) -> Model:
        price = int(usd * USD)
        prices = Price(price, 3 * price, price // 10, price * 5 // 4)
        fields: dict[str, Any] = {"price": prices, "family": id[0], "context_tokens": 100_000}
        return Model(id, id[0], f"{id}-upstream", weight, **(fields | more))

    return (
        model("a-large", 9, 20),
        model("a-small", 4, 2),
        model("b-large", 8, draw.uniform(5, 15)),
        model("b-small", 5, 3, context_tokens=draw.choice([1_000, 100_000])),
        model("c-medium", 6, draw.uniform(1, 10)),
        model("c-gratis", 3, 0, price=Price(0, 0, 0, 0), free=True),
        model("c-unknown", 5, 0, price=None),
    )


def _vendor(draw: Random, name: str) -> VendorSettings:
    return VendorSettings(
        name,
        max_concurrency=draw.choice([1, 3, 8, 64]),
        max_waiting=draw.choice([2, 10, 1024]),
        requests_per_minute=draw.choice([None, None, 60]),
        tokens_per_minute=draw.choice([None, None, 100_000]),
        timeout_s=draw.choice([5.0, 20.0]),
    )
