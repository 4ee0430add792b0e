"""Runs that were made: `planhub runs`, `show` and `replay`, as their users see them."""

from __future__ import annotations

from runtime.cli.commands.options import ConfigFile, Json


def runs(*, limit: int = 20, json: Json = False, config: ConfigFile = None) -> int:
    """List the latest runs, newest first.

    Parameters
    ----------
    limit
        How many at most.
    """
    from runtime.cli.runs import list_runs

    return list_runs(limit=limit, json=json, config=config)


def show(run: str, /, *, json: Json = False, config: ConfigFile = None) -> int:
    """Show one run: what was asked, its calls on a time line, what they cost, how it ended.

    Parameters
    ----------
    run
        Its id, or the beginning of it: 6 digits or more.
    """
    from runtime.cli.runs import show_run

    return show_run(run, json=json, config=config)


def replay(
    run: str,
    /,
    *,
    judge: str | None = None,
    json: Json = False,
    config: ConfigFile = None,
) -> int:
    """Carry a run's journal out again, without asking any model: it must end as it did.

    Parameters
    ----------
    run
        Its id, or the beginning of it: 6 digits or more.
    judge
        Have this model judge the recorded candidates of a vote instead; only that is paid for.
    """
    from runtime.cli.replay import replay_run

    return replay_run(run, judge=judge, json=json, config=config)
