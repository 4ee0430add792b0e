"""A matrix as a picture: a bar per program and concurrency, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pygal  # type: ignore[import-untyped]
from pygal.style import CleanStyle  # type: ignore[import-untyped]

from bench.results import Cell
from bench.table import number

STYLE = CleanStyle(
    background="white",
    opacity="1",
    plot_background="white",
    colors=("#1b6ca8", "#7a4f9a", "#2a7f62", "#a6611a"),
    value_colors=("white",) * 4,
    value_font_size=12,
    label_font_size=12,
    legend_font_size=12,
    title_font_size=15,
)


def draw(path: Path, cells: Sequence[Cell]) -> None:
    """Writes an SVG that needs no script and no font of its own."""
    cells = sorted(cells, key=lambda cell: -cell.cpu_ms.median)
    names = list(dict.fromkeys(cell.name for cell in cells))
    medians = [cell.cpu_ms.median for cell in cells]
    least = min(medians) / 4
    chart = pygal.HorizontalBar(
        title="CPU ms per vote (3 voters and a judge, 4 HTTP calls), logarithmic",
        style=STYLE,
        logarithmic=True,
        range=(least, 1.1 * max(medians)),
        zero=least,
        show_x_labels=False,
        show_x_guides=False,
        show_y_guides=False,
        print_values=True,
        print_values_position="center",
        legend_at_bottom=True,
        value_formatter=number,
        width=900,
        height=140 + 46 * len(names),
        js=(),
        disable_xml_declaration=True,
    )
    chart.x_labels = names
    for level in sorted({cell.concurrency for cell in cells}):
        found = {cell.name: cell.cpu_ms.median for cell in cells if cell.concurrency == level}
        chart.add(f"{level} at once", [found.get(name) for name in names])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chart.render(is_unicode=True))
