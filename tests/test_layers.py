"""The arrow between the packages: `runtime` imports `actors`, and `actors` imports no I/O."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ACTORS = sorted((ROOT / "actors").rglob("*.py"))

ALLOWED = {
    "__future__", "abc", "actors", "base64", "bisect", "calendar", "collections", "contextlib",
    "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "heapq", "itertools",
    "json", "jsonschema", "jsonschema_specifications", "math", "msgspec", "operator", "re",
    "referencing", "statistics", "string", "textwrap", "typing", "unicodedata",
}  # fmt: skip
CALLS_THAT_READ_A_CLOCK = {"now", "utcnow", "today"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield node.module or ""


@pytest.mark.parametrize("path", ACTORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_actors_import_nothing_that_waits(path: Path) -> None:
    """A module of `actors` imports only what cannot wait, listen, draw or look at a clock."""
    tree = ast.parse(path.read_text())
    foreign = {name for name in imported(tree) if name.split(".")[0] not in ALLOWED}
    assert not foreign


@pytest.mark.parametrize("path", ACTORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_actors_read_no_clock_and_open_no_file(path: Path) -> None:
    """Neither by way of a class that may be imported (`datetime.now`), nor by a builtin."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name):
                assert name not in {"open", "input", "print", "exec", "eval", "__import__"}
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=name):
                assert name not in CALLS_THAT_READ_A_CLOCK


def test_there_is_something_to_check() -> None:
    """An empty list of modules would make every test above pass."""
    assert len(ACTORS) > 5
    assert "trio" not in ALLOWED & set(sys.stdlib_module_names)
