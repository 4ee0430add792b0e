"""The simulator finds bugs: each of these breaks one rule, and is found within a thousand seeds.

========================== ===== ==============================================================
bug                        seed  what is seen
========================== ===== ==============================================================
settle_twice                   0 an attempt is settled twice
forget_a_release               2 the installation holds more than its holds
check_then_act                 0 spent + held > limit
hold_a_guess                   0 spent + held > limit
forget_the_pot                 0 the installation holds more than its holds
lose_messages_on_restart       3 a pool has lost messages
reserve_before_the_lease       3 more is held than leased
answer_before_the_commit       0 a client is answered, the journal has the run under way
charge_cached_tokens_twice     0 an attempt is settled for more than was billed
ignore_a_crashed_run          11 the ledger still holds for it when all is quiet
drop_a_cancel                  4 a run goes on ten seconds after it was cancelled
buy_again                     14 a run is answered twice under one key
journal_beside_the_money       0 answers and settlements of a commit differ
write_behind_a_lost_commit   907 a run takes a step, but it is not under way
========================== ===== ==============================================================

The seed is the first that fails; the search here begins a little before it, to be quick.
"""

import logging

import pytest

from runtime.testing.simulation.many import violations_of
from tests.simulation.planted import BUGS

MARGIN = 3
MOST = 1000
FIRST_SEEN = {
    "settle_twice": (0, "is settled twice"),
    "forget_a_release": (2, "holds"),
    "check_then_act": (0, "spent +"),
    "hold_a_guess": (0, "spent +"),
    "forget_the_pot": (0, "holds"),
    "lose_messages_on_restart": (3, "has lost messages"),
    "reserve_before_the_lease": (3, "is held than leased"),
    "answer_before_the_commit": (0, "the journal has running"),
    "charge_cached_tokens_twice": (0, "billed"),
    "ignore_a_crashed_run": (11, "still holds for"),
    "drop_a_cancel": (4, "after it was cancelled"),
    "buy_again": (14, "bought again"),
    "journal_beside_the_money": (0, "answers and settlements differ"),
    "write_behind_a_lost_commit": (907, "takes step"),
}


def test_the_table_is_complete() -> None:
    assert FIRST_SEEN.keys() == BUGS.keys()


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(
    bug: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the rule that it breaks, for the reason that the table gives."""
    caplog.set_level(logging.CRITICAL, "planhub")
    BUGS[bug](monkeypatch)
    first, text = FIRST_SEEN[bug]
    for seed in range(max(0, first - MARGIN), MOST):
        if any(text in violation for violation in violations_of(seed)[1]):
            return
    pytest.fail(f"{bug} is not found within {MOST} seeds")
