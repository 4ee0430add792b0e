"""A vote without a judge: in each field of the answers what most voters say."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.domain.agreement import form_of, key, parsed
from actors.domain.assembly import Said, assembled, closest
from actors.protocol import Order
from actors.strategies.judging import Judgement, by_rule
from actors.strategies.plan import Answered, Note, Plan, check, note

UNFIT = "majority_invalid"


def counted(order: Order, answers: Sequence[Answered]) -> Plan[tuple[Judgement, str | None]]:
    """The answer that is returned, an index, and the text in place of its own where most voters
    said what no one of them said as a whole.

    That text is valid against the schema: where it would not be, the answer with most of its
    fields is returned.  Answers that cannot be compared are not counted.
    """
    judgement, text = yield from _counted(order, answers)
    yield from note(Note(None, judgement.choice, False, judgement.reason))
    return judgement, text


def _counted(order: Order, answers: Sequence[Answered]) -> Plan[tuple[Judgement, str | None]]:
    assert order.schema is not None, "a majority is counted of what a schema gives a form"
    form = form_of(order.schema)
    values = {place: value for place, a in enumerate(answers) for value in parsed(a.text)}
    places = list(values)
    said = [Said(value, answers[place].model.weight) for place, value in values.items()]
    if not said:
        chosen, rule = by_rule(answers)
        return Judgement(chosen, None, False, f"no answer can be compared; {rule}"), None
    whole = assembled(said, form)
    choice = places[closest(said, whole, form)]
    of = f"{len(said)} voters"
    if key(values[choice], form) == key(whole, form):
        return Judgement(choice, None, False, f"in each field it says what most of {of} say"), None
    text = msgspec.json.encode(whole)
    problems = yield from check(order.schema, text)
    if not problems:
        reason = f"in each field what most of {of} say; responses[{choice}] is closest to that"
        return Judgement(choice, None, False, reason), text.decode()
    reason = (
        f"what most of {of} say in each field does not meet the schema ({problems[0]});"
        " chosen because most of its fields agree with that"
    )
    return Judgement(choice, None, False, reason, (UNFIT,)), None
