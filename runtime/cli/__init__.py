"""The command line, `planhub`.

`app` declares the commands; each has a module that does it: `plan` with `progress` and `summary`,
`serve`, `keys`, `models`, `ledger`, `check`, `runs` with `timeline`, `replay` with `rejudge`, and
`upkeep`.  `ends` turns errors into one line and an exit status, `terminal` writes, `setup` finds
the configuration and the database.
"""

from runtime.cli.app import main

__all__ = ["main"]
