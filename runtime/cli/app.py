"""The command `planhub`: the commands it has, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from runtime.cli.commands import evaluate, keys, ledger, models, plan, runs, serve, upkeep
from runtime.cli.ends import DONE, INTERRUPTED, WRONG_USE, exit_status, one_line
from runtime.cli.terminal import STANDARD_INPUT
from runtime.telemetry import be_silent

HELP = """One prompt, several models, one better answer.

Without a configuration the vendors are used whose keys are set (OPENAI_API_KEY,
ANTHROPIC_API_KEY, GEMINI_API_KEY); without those, built-in simulated models answer, offline.
"""

EXAMPLES = """Examples:

  planhub plan "Design a REST API for a task management app" --mode vote
  planhub plan - --mode adversarial --iterations 2 < question.md
  planhub serve --http 127.0.0.1:8080
  planhub keys create --name ci --scope plan --expires 90d
  planhub ledger
  planhub runs

`planhub COMMAND --help` says more.
"""


def _version() -> str:
    from importlib.metadata import version

    return f"planhub {version('planhub')}"


app = App(
    name="planhub",
    help=HELP,
    help_epilogue=EXAMPLES,
    help_format="plaintext",
    version=_version,
    help_on_error=False,
)
app.command(keys.keys)
app.command(ledger.ledger)
app.command(plan.plan, help_epilogue=plan.EXAMPLES)
for command in (
    serve.serve,
    models.models,
    models.judges,
    runs.runs,
    runs.show,
    runs.replay,
    upkeep.prune,
    upkeep.backup,
    upkeep.check,
):
    app.command(command, help_epilogue="")
app.command(evaluate.evaluate, help_epilogue=evaluate.EXAMPLES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status."""
    be_silent()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(
            [STANDARD_INPUT if argument == "-" else argument for argument in given],
            print_error=False,
            exit_on_error=False,
            result_action="return_value",
        )
        return result if isinstance(result, int) else DONE
    except CycloptsError as error:
        return _ended(one_line(error).rstrip(".") + "; see `planhub --help`", WRONG_USE)
    except KeyboardInterrupt:
        return _ended("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough; what Python still holds must not complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the user is told, in one line
        return _ended(one_line(error) or type(error).__name__, exit_status(error))


def _ended(text: str, status: int) -> int:
    sys.stderr.write(f"planhub: {text}\n")
    return status
