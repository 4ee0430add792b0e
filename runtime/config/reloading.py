"""What of a configuration cannot change while an engine runs."""

from __future__ import annotations

from runtime.config.loading import ConfigError
from runtime.config.settings import Config
from runtime.config.tables import connections


def check_reloadable(old: Config, new: Config) -> None:
    """How vendors are reached, and where the books are; raises ConfigError that names it."""
    before = {reached.provider: reached for reached in connections(old)}
    after = {reached.provider: reached for reached in connections(new)}
    if changed := sorted(p for p in {*before, *after} if before.get(p) != after.get(p)):
        raise ConfigError(f"providers changed ({', '.join(changed)}): restart to apply that")
    if (old.server, old.journal) != (new.server, new.journal):
        raise ConfigError("[server] or [journal] changed: restart to apply that")
