"""What the verdicts come to: the choice of most judges, or the rule that stands in for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from actors.domain.agreement import ballot
from actors.domain.text import visible
from actors.strategies.answering import shortfall
from actors.strategies.judging.asking import Case, Read
from actors.strategies.plan import Answered, Unanswered


class Judgement(Struct, frozen=True, gc=False):
    """The chosen answer, an index; `judge` is the model whose verdict it is, if it is one's.

    `details` is what the response says besides, where more was ordered than one look by one judge.
    """

    choice: int
    judge: str | None
    decided: bool
    reason: str
    codes: tuple[str, ...] = ()
    degraded: bool = False
    details: dict[str, Any] = {}


def decide(case: Case, said: Sequence[Read | Unanswered], voters: Sequence[str]) -> Judgement:
    """What those who were asked have said comes to; raises Cancelled for a run that is."""
    read = [one for one in said if isinstance(one, Read)]
    lacking = tuple(_lacking(case, said))
    if not read:
        return _without_judge(case, said, lacking)
    found = _of_most(case, read)
    party = ("judge_is_voter",) if any(one.judge.id in voters for one in read) else ()
    codes = (*found.codes, *lacking, *party)
    return replace(found, codes=codes, degraded=found.degraded or bool(lacking))


def _of_most(case: Case, read: Sequence[Read]) -> Judgement:
    """The choice of more than half of those heard, or the rule in its place."""
    choices = [one.choice for one in read]
    choice = max(choices, key=choices.count)
    first, times = read[choices.index(choice)], choices.count(choice)
    details, agreed = _details(case, read, times), 2 * times > len(read)
    reason = first.reason if len(read) == 1 else f"{times} of {len(read)} judges: {first.reason}"
    if agreed and choice != "tie" and choice != "none":
        return Judgement(choice, first.judge.id, True, reason, details=details)
    instead, why = by_rule(case.answers)
    if not agreed:
        reason = f"the judges disagree, {times} of {len(read)} agree at most; {why}"
        return Judgement(instead, None, False, reason, ("judges_disagree",), details=details)
    reason = f"the judge said {choice}: {reason}; {why}"
    codes, degraded = (f"judge_{choice}",), choice == "none"
    return Judgement(instead, first.judge.id, False, reason, codes, degraded, details)


def _without_judge(
    case: Case, said: Sequence[Read | Unanswered], lacking: tuple[str, ...]
) -> Judgement:
    texts = dict.fromkeys(one.text for one in said if isinstance(one, Unanswered))
    causes = [code for code in lacking if code in ("budget", "deadline")]
    chosen, rule = by_rule(case.answers)
    reason = f"no verdict ({'; '.join(texts)}); {rule}"
    codes = ("judge_failed", *causes)
    return Judgement(chosen, None, False, reason, codes, True, _details(case, [], 0))


def by_rule(answers: Sequence[Answered]) -> tuple[int, str]:
    """The answer that most of them agree on, else that of the heaviest model; and why.

    Short answers agree when they say the same, long ones when they are the same.
    """
    texts = [visible(answered.text).strip() for answered in answers]
    said = [ballot(text, None) or text for text in texts]
    common, times = Counter(said).most_common(1)[0]
    if 2 * times > len(said):
        return said.index(common), f"chosen because {times} of {len(said)} answers agree"
    weights = [answered.model.weight for answered in answers]
    best = max(weights)
    return weights.index(best), f"chosen by the highest model weight, {best}"


# --- what is said of it -----------------------------------------------------------------------


def _lacking(case: Case, said: Sequence[Read | Unanswered]) -> Iterator[str]:
    """Codes for the verdicts that were ordered and are not there, each once; raises Cancelled."""
    read = [one for one in said if isinstance(one, Read)]
    unlooked = [one.lacking for one in read if one.lacking is not None]
    if len(read) < case.order.judges:
        yield "judges_missing"
    if unlooked:
        yield "second_look_failed"
    if lacking := [*(one for one in said if isinstance(one, Unanswered)), *unlooked]:
        so_far = "\n\n".join(answered.text for answered in case.answers)
        causes = {shortfall(outcome, so_far) for outcome in lacking}
        yield from sorted(causes - {"stage_failed"})


def _details(case: Case, read: Sequence[Read], agreeing: int) -> dict[str, Any]:
    """`agreement` is the share of the judges heard that made the commonest choice."""
    order, details = case.order, dict[str, Any]()
    if order.judges > 1:
        details["agreement"] = round(agreeing / len(read), 4) if len(read) > 1 else None
    if order.judges > 1 or order.second_look:
        details["verdicts"] = [_verdict(one) for one in read]
    return details


def _verdict(read: Read) -> dict[str, Any]:
    return {
        "judge": read.judge.id,
        "choice": read.verdict.choice,
        "margin": read.verdict.margin,
        "reason": read.verdict.reason,
        "second_look": read.second_look,
        "second_choice": None if read.again is None else read.again.choice,
    }
