"""`planhub models` and `judges`, as their users see them."""

from __future__ import annotations

from runtime.cli.commands.options import ConfigFile, Json


def models(*, json: Json = False, config: ConfigFile = None) -> int:
    """Show the models: weight, price, context, and whether they can be asked."""
    from runtime.cli.models import show_models

    return show_models(json=json, config=config)


def judges(*, json: Json = False, config: ConfigFile = None) -> int:
    """Show how the models do as judges: ties, flips in second looks, what nobody could read."""
    from runtime.cli.judges import show_judges

    return show_judges(json=json, config=config)
