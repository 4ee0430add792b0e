"""The list of promises and the tests go together."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import runtime.kernel

HERE = Path(__file__).parent
ITEM = re.compile(r"^ ?(\d+)\. `(\w+)`: ", re.MULTILINE)


def promises() -> list[tuple[int, str]]:
    return [(int(number), name) for number, name in ITEM.findall(runtime.kernel.__doc__ or "")]


def functions() -> set[str]:
    return {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_promise_has_a_test_of_its_name() -> None:
    """A promise without a test is a hope."""
    assert {f"test_{name}" for _, name in promises()} <= functions()


def test_promises_are_numbered() -> None:
    """One after the other, so that they can be cited."""
    assert [number for number, _ in promises()] == list(range(1, len(promises()) + 1))
    assert len(promises()) > 20


def test_only_host_loop_and_awaiting_know_trio() -> None:
    """The rest is synchronous: a plain loop can drive it."""
    knowing = {
        path.name
        for path in Path(runtime.kernel.__file__).parent.glob("*.py")
        if re.search(r"^\s*(import|from) (trio|asyncio|anyio)", path.read_text(), re.MULTILINE)
    }
    assert knowing == {"host.py", "loop.py", "awaiting.py", "future.py"}
    future = Path(runtime.kernel.__file__).with_name("future.py").read_text()
    assert "trio" not in re.findall(r"^import (\w+)", future, re.MULTILINE)


def test_what_is_exported_exists() -> None:
    """`__all__` is sorted and true."""
    assert all(hasattr(runtime.kernel, name) for name in runtime.kernel.__all__)
