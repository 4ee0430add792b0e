"""Evaluations by simulated models: within the money, cut off and gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.domain.money import nano_from_usd, usd
from runtime import Planhub
from runtime.evaluation.items import BadItems, Item
from runtime.evaluation.results import Outcome, Results
from runtime.evaluation.running import Evaluation
from runtime.evaluation.spending import Purse
from runtime.evaluation.variants import Task, Variant, of_mode, of_model
from runtime.testing import Reply
from tests.end_to_end.rig import GPT, GPT_LIGHT, configured, scripted_vendors
from tests.runtime.frontends.socket.rig import simulated

VARIANTS = (of_mode("vote:voters=2"), of_model("sim-clerk"))
ENOUGH_USD = 50.0


def tasks(*variants: Variant, items: int = 3) -> list[Task]:
    asked = [
        Item(id=f"i{place}", prompt=f"Plan a trip to town {place}", contains="steps")
        for place in range(items)
    ]
    return [Task(item, variant) for item in asked for variant in variants or VARIANTS]


class Pass:
    """One run of the command, in a folder with its database and its results."""

    def __init__(self, folder: Path, hub: Planhub, results: Results, limit_usd: float) -> None:
        self.hub = hub
        self.results = results
        self.purse = Purse(nano_from_usd(limit_usd), nano_from_usd(results.spent_usd))
        self.evaluation = Evaluation(hub, results, self.purse, folder, at_once=3)
        self.told: list[Outcome] = []

    def ask(self, asked: list[Task]) -> list[Outcome]:
        waiting = [task for task in asked if task.digest not in self.results.outcomes]
        self.evaluation.run(waiting, self.told.append)
        return self.told

    @property
    def paid_usd(self) -> float:
        """By the ledger of the hub."""
        accounts = self.hub.ledger().accounts
        return usd(sum(a.spent_nano for a in accounts if a.owner == "installation"))


@contextmanager
def passing(folder: Path, limit_usd: float = ENOUGH_USD) -> Iterator[Pass]:
    with (
        Results(folder / "results.jsonl") as results,
        Planhub.open(simulated(), database=folder / "books.db") as hub,
    ):
        yield Pass(folder, hub, results, limit_usd)


def test_every_item_is_asked_in_every_way(tmp_path: Path) -> None:
    asked = tasks()
    with passing(tmp_path) as one:
        told = one.ask(asked)
        assert one.purse.spent_nano == nano_from_usd(one.paid_usd)
    assert {(o.item, o.variant) for o in told} == {(t.item.id, t.variant.name) for t in asked}
    assert all(o.right and o.cost_usd > 0 and o.seconds >= 0 for o in told)
    assert {o.model for o in told if o.variant == "sim-clerk"} == {"sim-clerk"}


def test_what_is_there_is_not_asked_again(tmp_path: Path) -> None:
    with passing(tmp_path) as one:
        first = one.ask(tasks(items=1))
    with passing(tmp_path) as two:
        assert {outcome.item for outcome in two.ask(tasks())} == {"i1", "i2"}
        known = two.results.of(tasks(items=1))
    assert sorted(known, key=lambda o: o.variant) == sorted(first, key=lambda o: o.variant)


def test_a_run_that_ended_unheard_is_not_bought_again(tmp_path: Path) -> None:
    """A crash after the run, before its line: it is found again under its name."""
    path = tmp_path / "results.jsonl"
    with passing(tmp_path) as one:
        first = {outcome.task: outcome for outcome in one.ask(tasks())}
        paid = one.paid_usd
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"outcome"' not in line]
    path.write_bytes(b"".join(kept) + b'{"type":"outco')
    with passing(tmp_path) as two:
        again = {outcome.task: outcome for outcome in two.ask(tasks())}
        assert two.paid_usd == paid
    assert again == first


def test_the_money_is_never_crossed_and_more_of_it_goes_on(tmp_path: Path) -> None:
    asked = tasks(of_mode("planning"), items=6)
    with passing(tmp_path, limit_usd=0.02) as one:
        one.ask(asked)
        left_out = list(one.evaluation.left_out)
        assert 0 < one.paid_usd <= 0.02
        assert len(one.told) + len(left_out) == len(asked)
        assert left_out
    with passing(tmp_path) as two:
        assert {outcome.task for outcome in two.ask(asked)} == {task.digest for task in left_out}
        assert not two.evaluation.left_out


def test_another_model_s_answer_is_none_of_a_single_model(tmp_path: Path) -> None:
    with scripted_vendors() as vendors, Results(tmp_path / "results.jsonl") as results:
        vendors.answer(lambda call: Reply("no", status=400) if call.model == GPT else Reply("42"))
        item = Item(id="i", prompt="p", reference="42")
        with Planhub.open(configured(vendors)) as hub:
            purse = Purse(nano_from_usd(ENOUGH_USD))
            evaluation = Evaluation(hub, results, purse, tmp_path, at_once=2)
            told: list[Outcome] = []
            asked = [Task(item, of_model(model)) for model in (GPT, GPT_LIGHT)]
            evaluation.run(asked, told.append)
    by_model = {outcome.variant: outcome for outcome in told}
    assert (by_model[GPT].right, by_model[GPT].error) == (False, "another_model")
    assert (by_model[GPT_LIGHT].right, by_model[GPT_LIGHT].error) == (True, None)


def test_terms_that_change_grade_anew_without_asking(tmp_path: Path) -> None:
    with passing(tmp_path) as one:
        one.ask(tasks(items=1))
    changed = [
        Task(Item(id=task.item.id, prompt=task.item.prompt, contains="nowhere in it"), task.variant)
        for task in tasks(items=1)
    ]
    with passing(tmp_path) as two:
        two.evaluation.regrade(changed)
        assert not two.ask(changed)
        assert [outcome.right for outcome in two.results.of(changed)] == [False, False]
    with passing(tmp_path) as three:
        assert [outcome.right for outcome in three.results.of(changed)] == [False, False]


def test_another_file_is_no_results(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n")
    with pytest.raises(BadItems, match="no file of results"):
        Results(path)
    assert path.read_text() == "dear diary\n"


def test_one_evaluation_at_a_time_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path), pytest.raises(BadItems, match="in use"):
        Results(path)
    with Results(path) as again:
        assert not again.outcomes


@given(
    st.integers(0, 100),
    st.lists(st.tuples(st.none() | st.integers(0, 60), st.integers(0, 40), st.integers(0, 100))),
)
def test_a_purse_is_never_overdrawn(limit: int, wishes: list[tuple[int | None, int, int]]) -> None:
    """Whatever is wanted and whatever of it is spent; some wait for others to end."""
    purse, held = Purse(limit), []
    for want, least, spends in wishes:
        granted = purse.take(want, least)
        if granted is not None:
            assert want is None or granted <= want
            held.append((granted, min(granted, spends)))
        elif held:
            purse.settle(*held.pop(0))
        assert purse.spent_nano + purse.held_nano <= limit
