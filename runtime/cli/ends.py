"""How a command ends: 0 done, 1 failed, 2 wrong use, 3 budget, 4 deadline, 130 interrupted."""

from __future__ import annotations

DONE, FAILED, WRONG_USE, BUDGET, DEADLINE, INTERRUPTED = 0, 1, 2, 3, 4, 130

_HINTS = {
    "budget_exceeded": "allow more with --max-budget-usd, or see `planhub ledger`",
    "unpriced_model": "give it a price in planhub.toml, or `free = true`",
    "deadline": "allow more time with --deadline SECONDS",
    "unknown_model": "`planhub models` lists them",
    "models_failed": "`planhub check` tries each vendor",
    "no_eligible_model": "`planhub models` shows weights and what is available",
    "internal": "this is a defect of planhub",
}


class CommandFailed(Exception):
    """A command cannot be done; the text says what to do, in one line."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


def exit_status(error: Exception) -> int:
    from actors.errors import BadRequest, BudgetExceeded, DeadlineExceeded

    match error:
        case CommandFailed(status=status):
            return status
        case BudgetExceeded():
            return BUDGET
        case DeadlineExceeded():
            return DEADLINE
        case BadRequest():
            return WRONG_USE
        case _:
            return FAILED


def one_line(error: Exception) -> str:
    """What went wrong and what to do about it."""
    from actors.errors import PlanError

    text = " ".join(str(error).split())
    hint = _HINTS.get(error.code) if isinstance(error, PlanError) else None
    return f"{text}; {hint}" if hint else text
