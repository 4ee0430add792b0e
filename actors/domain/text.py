"""What is done to the texts that models write, before anyone is shown them."""

from __future__ import annotations

import re


def normalised(text: str) -> str:
    """A short answer reduced to what it says: for telling equal answers, not for showing."""
    return re.sub(r"\W+", " ", text.casefold()).strip() or text.strip()
