"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="The configuration; by default planhub.toml in this folder.")
]
Json: TypeAlias = Annotated[
    bool, Parameter(negative=(), show_default=False, help="Print JSON instead.")
]
Switch: TypeAlias = Annotated[bool, Parameter(negative=(), show_default=False)]
Several: TypeAlias = Annotated[list[str] | None, Parameter(negative=())]
