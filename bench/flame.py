"""Where the time of a vote goes: a flame graph, and the share of each layer.

    python -m bench.flame [--concurrency 32] [--seconds 8] [--picture bench/results/flame.svg]
                          [--only WORD]

py-spy samples the program from outside while it votes, first with the functions of Python for the
picture, then with those of C for the shares.  A sample counts for the innermost frame that belongs
to a layer: a lock taken by the kernel is the kernel's, a commit is sqlite's.  Threads that wait for
a lock, the interpreter's included, are left out.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from bench.cores import pin
from bench.roster import DISK, chosen
from bench.subject import Subject
from bench.table import console
from bench.upstream import upstream

SAMPLES_A_SECOND = 400
WAITING = ("lock_PyThread_acquire_lock", "PyThread_acquire_lock_timed", "pthread_cond_timedwait")

LAYERS = (
    (re.compile(r"\((runtime|actors)/(\w+)/"), r"\1/\2"),
    (re.compile(r"\((runtime|actors)/\w+\.py"), r"\1/*.py"),
    (re.compile(r"\(bench/"), "the host program"),
    (re.compile(r"gc_collect_main"), "garbage collector"),
    (re.compile(r"socketmodule\.c|selectmodule\.c|_ssl"), "sockets"),
    (re.compile(r"sqlite"), "sqlite"),
    (re.compile(r"\(?(httptools|msgspec|trio|pykka|starlette|uvicorn|uvloop)[/.]"), r"\1"),
    (re.compile(r"\((httpx|httpcore|h11|anyio)/"), "httpx"),
    (re.compile(r"\((asyncio)/"), "asyncio"),
)
REST = "interpreter"


def layer(stack: list[str]) -> str:
    """Whose a sample is; frames go from the outermost to the innermost."""
    for frame in reversed(stack):
        for pattern, name in LAYERS:
            if found := pattern.search(frame):
                return found.expand(name)
    return REST


def shares(raw: str) -> Counter[str]:
    """Samples by layer, from py-spy's lines `outermost;…;innermost COUNT`."""
    counted: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not any(name in frame for frame in frames[-4:] for name in WAITING):
            counted[layer(frames)] += int(count)
    return counted


@contextmanager
def voting(subject: Subject, concurrency: int) -> Iterator[None]:
    """Has a program vote for as long as the block lasts."""
    enough = threading.Event()

    def vote() -> None:
        while not enough.is_set():
            subject.run(10 * concurrency, concurrency)

    voter = threading.Thread(target=vote)
    subject.run(10 * concurrency, concurrency)
    voter.start()
    try:
        yield
    finally:
        enough.set()
        voter.join()


def sample(process: int, seconds: int, into: Path, *more: str) -> None:
    """Raises CalledProcessError when the system does not let py-spy look into a process."""
    tool = shutil.which("py-spy", path=f"{Path(sys.executable).parent}")
    if tool is None:
        sys.exit("py-spy is missing: pip install -e '.[bench]'")
    into.parent.mkdir(parents=True, exist_ok=True)
    command = [tool, "record", "--pid", str(process), "--output", str(into)]
    command += ["--rate", str(SAMPLES_A_SECOND), "--duration", str(seconds), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def table(counted: Counter[str], what: str) -> Table:
    made = Table(title=what)
    made.add_column("layer")
    made.add_column("share", justify="right")
    for name, count in counted.most_common():
        made.add_row(name, f"{count / counted.total():.1%}")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=8, help="for each of the two looks")
    parser.add_argument("--picture", type=Path, default=Path("bench/results/flame.svg"))
    parser.add_argument("--only", default=DISK.name, help="a word of the program's name")
    given = parser.parse_args()
    pin(measured=False)
    program = chosen([given.only])[1]
    with (
        tempfile.TemporaryDirectory() as folder,
        upstream() as url,
        program.started(url) as subject,
        voting(subject, given.concurrency),
    ):
        raw = Path(folder) / "raw"
        sample(subject.pid, given.seconds, given.picture, "--function", "--format", "flamegraph")
        sample(subject.pid, given.seconds, raw, "--native", "--format", "raw")
        counted = shares(raw.read_text())
    what = f"{program.name}, {given.concurrency} votes at once, {counted.total()} samples"
    console().print(table(counted, what))
    print(f"flame graph: {given.picture}")


if __name__ == "__main__":
    main()
