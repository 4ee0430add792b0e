"""The command line, `planhub`.

`app` has the commands, and `commands` declares them; each has a module that does it: `plan` with
`progress`, `summary` and `dry_run`, `serve`, `keys`, `models`, `judges`, `ledger`, `check`, `runs`
with `timeline`, `replay` with `rejudge`, `evaluate`, and `upkeep`.  `ends` turns errors into one
line and an exit status, `terminal` writes, `setup` finds the configuration and the database.
"""

from runtime.cli.app import main

__all__ = ["main"]
