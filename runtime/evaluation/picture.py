"""Quality against cost as a picture: each variant a line as long as its interval."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.evaluation.figures import Figures


def draw(path: Path, told: Sequence[Figures]) -> None:
    """Writes an SVG without scripts.  Raises OSError."""
    pygal, clean = _pygal()
    chart = pygal.XY(
        title="Right answers (%, with their 95 % interval) by USD per run",
        x_title="USD per run",
        style=clean(background="white", plot_background="white", opacity="1"),
        range=(0, 100),
        xrange=_range(told),
        stroke_style={"width": 3},
        dots_size=5,
        legend_at_bottom=True,
        truncate_legend=-1,
        width=900,
        height=520,
        js=(),
        disable_xml_declaration=True,
    )
    chart.x_label_rotation = 20
    for one in told:
        if (quality := one.quality).value is not None:
            ends = (quality.low, quality.value, quality.high)
            chart.add(_legend(one), [(one.usd_per_run, 100 * (end or 0.0)) for end in ends])
    chart.add_xml_filter(_without_scripts)
    path.write_text(chart.render(is_unicode=True), encoding="utf-8")


def _pygal() -> tuple[Any, Any]:
    """Imported late, for nothing else draws; and without the finder for map plugins that it leaves
    in Python's import system, which is of a kind that Python warns of.
    """
    import pygal  # type: ignore[import-untyped]
    from pygal.style import CleanStyle  # type: ignore[import-untyped]

    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_pygal_s(finder)]
    return pygal, CleanStyle


def _is_pygal_s(finder: Any) -> bool:
    return type(finder).__module__.partition(".")[0] == "pygal"


def _without_scripts(root: Any) -> Any:
    """What moves nothing needs none, and many viewers refuse them."""
    for parent in list(root.iter()):
        for script in parent.findall("script"):
            parent.remove(script)
    return root


def _range(told: Sequence[Figures]) -> tuple[float, float]:
    most = max((one.usd_per_run for one in told), default=0.0)
    return 0.0, 1.1 * most or 1.0


def _legend(one: Figures) -> str:
    value = one.quality.value or 0.0
    return f"{one.variant}: {value:.0%}, {one.seconds_per_run:.1f} s"
