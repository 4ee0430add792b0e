"""The same vote with what others offer, measured in turns with the bare loop and the engine.

    python -m bench.peers [--concurrency 32] [--rounds 3] [--seconds 1] [--only WORD ...]
                          [--json FILE] [--picture FILE.svg]

Each peer is installed into an environment of its own below bench/.peers/ the first time.  One that
cannot be installed is named, with the reason, and left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.cores import pin
from bench.matrix import require_none_failed, watched
from bench.picture import draw
from bench.results import write
from bench.roster import BARE, DISK, Program
from bench.table import console, table

ENVIRONMENTS = Path(__file__).parents[1] / ".peers"
INSTALL_S = 600.0


class Peer(NamedTuple):
    """`module` also names the environment, and `needs` is what pip installs into it."""

    name: str
    module: str
    needs: tuple[str, ...]
    arguments: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return ENVIRONMENTS / self.module

    @property
    def program(self) -> Program:
        python = str(self.folder / "bin" / "python")
        return Program(self.name, f"bench.peers.{self.module}", self.arguments, python, OFFLINE)


OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONWARNINGS": "ignore"}
"""Prices are not looked up, and what is told to a developer is not told here."""

OPENAI = ("openai[aiohttp]>=3.57,<4",)
PEERS = (
    Peer("TensorZero, embedded", "tensorzero_embedded", ("tensorzero==2026.6.*",)),
    Peer("DSPy", "dspy_lm", ("dspy>=3.4,<3.5",)),
    Peer("openai SDK, aiohttp", "openai_sdk", OPENAI, ("aiohttp",)),
    Peer("openai SDK, httpx", "openai_sdk", OPENAI, ("httpx",)),
    Peer("langgraph", "langgraph_vote", ("langgraph>=1.2,<2", "langchain-openai>=1.7,<2")),
    Peer("LiteLLM Router", "litellm_router", ("litellm>=1.110,<2",)),
)


def installed(peers: Sequence[Peer]) -> Iterator[Peer]:
    """Those that can be; says which cannot, and why."""
    for peer in peers:
        whole = peer.folder / "installed"
        if not whole.exists():
            print(f"installing {peer.name} ...", file=sys.stderr)
            if why := _install(peer):
                print(f"{peer.name} cannot be installed: {why}", file=sys.stderr)
                continue
            whole.touch()
        yield peer


def _install(peer: Peer) -> str:
    """What went wrong, if anything."""
    venv.create(peer.folder, clear=True, with_pip=True)
    pip = [str(peer.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.needs]
    try:
        subprocess.run(pip, check=True, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        return f"not done in {INSTALL_S:.0f} s"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().splitlines()[-1]
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--concurrency", type=int, nargs="+", default=[32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="about, a measurement")
    parser.add_argument("--only", nargs="+", default=[""], help="words of the peers' names")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    wanted = [peer for peer in PEERS if any(word in peer.name for word in given.only)]
    programs = [peer.program for peer in installed(wanted)]
    pin(measured=False)
    cells = watched((BARE, DISK, *programs), given.concurrency, given.rounds, seconds=given.seconds)
    console().print(table(cells))
    if given.json:
        write(given.json, cells)
    if given.picture:
        draw(given.picture, cells)
    require_none_failed(cells)


if __name__ == "__main__":
    main()
