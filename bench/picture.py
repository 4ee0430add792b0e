"""A matrix as a picture: a bar per program and concurrency, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pygal  # type: ignore[import-untyped]
from pygal.style import CleanStyle  # type: ignore[import-untyped]

from bench.results import Cell
from bench.table import number


def draw(path: Path, cells: Sequence[Cell]) -> None:
    """Writes an SVG that needs no script and no font of its own."""
    cells = sorted(cells, key=lambda cell: -cell.cpu_ms.median)
    names = list(dict.fromkeys(cell.name for cell in cells))
    least = min(cell.cpu_ms.median for cell in cells)
    chart = pygal.HorizontalBar(
        title="CPU ms per vote (3 voters and a judge, 4 HTTP calls), logarithmic",
        style=CleanStyle(value_font_size=11),
        logarithmic=True,
        range=(least / 2, 1.2 * max(cell.cpu_ms.median for cell in cells)),
        print_values=True,
        print_values_position="top",
        value_formatter=number,
        width=900,
        height=120 + 48 * len(names),
        js=(),
        disable_xml_declaration=True,
        order_min=-2,
    )
    chart.x_labels = names
    for level in sorted({cell.concurrency for cell in cells}):
        medians = {cell.name: cell.cpu_ms.median for cell in cells if cell.concurrency == level}
        chart.add(f"{level} concurrent", [medians.get(name) for name in names])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chart.render(is_unicode=True))
