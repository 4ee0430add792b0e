"""The single writer of money: admits runs, holds, settles, releases, and keeps the journal.

The arithmetic is :class:`~actors.domain.accounts.Books`; what is durable and when is
:class:`~actors.commits.Commits`; what is kept of each run is
:class:`~actors.ledger_journal.LedgerJournal`.  Here is who is answered, and who waits:

* What fits is held at once.  If the leases cover it the answer goes out at once too, otherwise
  when the commit that takes the missing lease is durable.  So whatever was sent to a vendor is
  covered by something that survives the process.
* What does not fit because it is *spent* is refused at once.  What does not fit only because
  others *hold* waits in one line, at most five seconds and not beyond its deadline.  Nobody is
  overtaken under an account for which he waits.
* A settlement is written with its outcome.  One that nobody reserved, or a second one, changes
  nothing and is counted.
* A run whose orchestrator crashed may have calls at a vendor that nobody will hear of: they are
  charged in full, as uncertain.
* A ledger that takes over from one that crashed looks after the runs left open: those that nobody
  carries out any more are closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import msgspec
from msgspec.structs import replace

from actors.addresses import run_address, run_at
from actors.base import Actor, Context, Down, Message
from actors.commits import Commits, GatherOver, PauseOver
from actors.dispatch import handles
from actors.domain import entries
from actors.domain.accounts import Books, Hold, RunAccounts, Short
from actors.domain.balance import Balance
from actors.domain.money import MOST_NANO, month_of
from actors.ledger_journal import LedgerJournal
from actors.ledger_replies import UNBOOKED, admitted, refusal, reserved
from actors.protocol import (
    AccountsListed,
    Admit,
    AttemptReleased,
    BooksLoaded,
    CommitFailed,
    Committed,
    EndRun,
    GetAccounts,
    JudgeVerdict,
    LeaseReturned,
    LedgerMessage,
    ReconfigureLedger,
    Release,
    Reserve,
    RunEnded,
    Settle,
)
from actors.waiting import Asked, Line, WaitOver

LOOK_S = 1.0
MOST_COST_NANO = MOST_NANO // 1000
"""What a vendor's bill for one call is believed up to; sums of more would leave 64 bits."""


class LookAround(Message, frozen=True, gc=False):
    """Time to return what is leased in vain, and to see who has waited too long for storage."""


_Received: TypeAlias = LedgerMessage | GatherOver | PauseOver | WaitOver | LookAround


class CostLedger(Actor):
    """`limit_nano` is what the whole installation may spend in a month; None is no limit.

    `successor` says that another ledger of this process has crashed.  The first one leaves the runs
    of processes before to whoever carries them on.
    """

    receives: ClassVar[Any] = _Received
    parts: ClassVar[Mapping[str, type]] = {"_commits": Commits, "_journal": LedgerJournal}

    def __init__(
        self, ctx: Context, limit_nano: int | None = None, *, successor: bool = False
    ) -> None:
        super().__init__(ctx)
        self._successor = successor
        self._books = Books(limit_nano)
        self._commits = Commits(ctx)
        self._line = Line(ctx)
        self._journal = LedgerJournal(ctx, self._commits)
        self._looking = False
        self._unknown = 0
        self._overruns = 0

    def __repr__(self) -> str:
        books = self._books
        return (
            f"<CostLedger {self._commits}: {len(books.runs)} runs, {len(books.holds)} holds, "
            f"{len(self._line)} waiting, {self._overruns} overruns>"
        )

    def started(self) -> None:
        at = self.ctx.wall()
        self._books.turn(month_of(at))
        self._commits.load(at)

    def stopped(self, reason: str) -> None:
        self._return_leases(at_last=True)
        self._commits.flush_all(orderly=reason in ("shutdown", "normal"))

    def receive(self, message: _Received) -> None:
        super().receive(message)
        self._commits.flush()
        if not self._looking:
            self._keep_looking()

    # --- money asked for ---

    @handles
    def _admit(self, admit: Admit) -> None:
        """A run that is wanted is on record even if the ledger ends before it has its turn."""
        self.ctx.monitor(run_address(admit.ticket))
        if admit.order.wanted and self._commits.open:
            self._journal.begin(admit.order, admit.steps, self.ctx.wall())
        self._ask(admit)

    @handles
    def _reserve(self, asked: Reserve) -> None:
        self._ask(asked)

    def _ask(self, asked: Asked) -> None:
        """Answers, or lets wait; who waited for a new month comes first there."""
        if self._books.turn(month_of(self.ctx.wall())):
            self._serve_line()
        short = self._try(asked, self._line.blocked)
        if short is not None and not self._line.join(asked, short):
            self._refuse(asked, short)

    def _try(self, asked: Asked, blocked: set[Balance]) -> Short | None:
        """None when `asked` is dealt with; else what it waits for."""
        if not self._commits.open:
            return UNBOOKED
        found = self._hold(asked, blocked)
        if isinstance(found, Short):
            if found.final is None:
                return found
            self._refuse(asked, found)
        elif found is None:
            self._refuse(asked, UNBOOKED)
        else:
            self._held(asked, found)
        return None

    def _hold(self, asked: Asked, blocked: set[Balance]) -> RunAccounts | Hold | Short | None:
        """What is held for `asked` now or was before; None for a run that nobody knows."""
        books = self._books
        run = books.runs.get(asked.ticket if isinstance(asked, Admit) else asked.run)
        if isinstance(asked, Admit):
            return run or books.admit(asked, self.ctx.wall(), blocked)
        if run is None:
            return None
        return books.holds.get(asked.ticket) or books.reserve(run, asked, self.ctx.wall(), blocked)

    def _held(self, asked: Asked, held: RunAccounts | Hold) -> None:
        """Records it, and answers as soon as it is covered; of a run that is wanted nothing is
        bought before it can be found again.
        """
        if isinstance(asked, Admit):
            self._journal.begin(asked.order, asked.steps, held.at)
        for hold in self._holds_of(asked):
            self._commits.write(entries.reserved(hold))
        covered = self._lease(held.shared)
        if isinstance(asked, Admit):
            covered = covered and not asked.order.wanted
        elif isinstance(held, Hold):
            covered = covered or (held.run.answered and not held.beyond_pot)
            covered = covered and not held.run.lasting  # no lease tells of it after a restart
        if covered:
            self._answer(asked)
        else:
            self._commits.answer_after(asked)

    def _lease(self, balances: Sequence[Balance]) -> bool:
        """Whether they are covered already; what is missing is leased."""
        for balance in balances:
            if amount := balance.lease_more():
                self._commits.lease(balance, amount)
        return all(balance.is_covered for balance in balances)

    def _answer(self, asked: Asked) -> None:
        """Says yes, unless the hold is gone by now."""
        holds = self._holds_of(asked)
        for hold in holds:
            hold.answered = True
        if not isinstance(asked, Admit):
            if holds:
                self.ctx.reply(asked, reserved(*holds))
                return
        elif (run := self._books.runs.get(asked.ticket)) is not None:
            run.answered = True
            self.ctx.reply(asked, admitted(run, holds))
            return
        self._refuse(asked, UNBOOKED)

    def _holds_of(self, asked: Asked) -> list[Hold]:
        """What is held for the attempts that `asked` asks for, or brings with it."""
        attempts = asked.first if isinstance(asked, Admit) else (asked,)
        holds = self._books.holds
        return [holds[each.ticket] for each in attempts if each.ticket in holds]

    def _refuse(self, asked: Asked, short: Short) -> None:
        """A run that its accounts have refused is on record, too."""
        refused = refusal(asked.ticket, short)
        if isinstance(asked, Admit) and refused.owner != "storage":
            self._journal.begin(asked.order, asked.steps, self.ctx.wall())
        self.ctx.reply(asked, refused)

    # --- the line ---

    @handles
    def _go_on(self, _: PauseOver) -> None:
        self._commits.pause_over()
        self._serve_line()

    def _serve_line(self) -> None:
        if len(self._line) and self._commits.open:
            self._books.turn(month_of(self.ctx.wall()))
            self._line.serve(self._try)

    @handles
    def _wait_over(self, over: WaitOver) -> None:
        if (waiting := self._line.leave(over.place)) is not None:
            self._refuse(waiting.asked, waiting.short)
            self._serve_line()

    def _send_away(self, ticket: str, run: str | None = None) -> None:
        """Refuses whoever waits under `ticket`, or for `run`."""
        for waiting in self._line.leave_for(run, ticket):
            self._refuse(waiting.asked, waiting.short)

    # --- money settled ---

    @handles
    def _settle(self, settle: Settle) -> None:
        call = settle.call
        cost = min(max(0, call.cost_nano), MOST_COST_NANO)
        hold = self._books.settle(call.attempt_id, cost)
        if hold is None:
            self._unknown += 1
            return
        self._overruns += cost > hold.amount
        call = call if cost == call.cost_nano else replace(call, cost_nano=cost)
        self._commits.write(entries.settled(hold, call, settle.text, self.ctx.wall()))
        self._journal.take(settle.run, settle.steps)
        self._serve_line()

    @handles
    def _release(self, release: Release) -> None:
        self._send_away(release.ticket)
        if self._books.release(release.ticket) is not None:
            self._commits.write(AttemptReleased(release.ticket))
        self._serve_line()

    # --- the end of runs ---

    @handles
    def _end_run(self, end: EndRun) -> None:
        self.ctx.demonitor(run_address(end.ticket))
        self._send_away(end.ticket, end.ticket)
        if self._commits.failing and not self._journal.is_open(end.ticket):
            self.ctx.reply(end, RunEnded(end.ticket, durable=False))
            return
        if end.order is None:
            self._journal.take(end.ticket, end.steps)
        else:
            self._journal.begin(end.order, end.steps, self.ctx.wall())
        self._close_run(end.ticket, end.status, end.body, end.http_status, end.verdicts)
        self._commits.answer_after(end)

    @handles
    def _down(self, down: Down) -> None:
        """An orchestrator has ended before its run."""
        run = run_at(down.address)
        accounts = self._books.runs.get(run)
        if accounts is not None and down.crashed:
            for attempt in list(accounts.attempts):
                hold = self._books.holds[attempt]
                if hold.answered:
                    self._charge_in_full(hold)
        self._send_away(run, run)
        journal = self._journal
        if journal.is_open(run) or (journal.is_inherited(run) and down.crashed):
            body = {"error": "internal error", "code": "internal", "id": run}
            self._close_run(run, "failed", msgspec.json.encode(body), 500)

    def _charge_in_full(self, hold: Hold) -> None:
        self._books.settle(hold.asked.ticket, hold.amount)
        self._commits.write(entries.uncertain(hold, self.ctx.wall()))

    def _close_run(
        self,
        run: str,
        status: str,
        body: bytes,
        http_status: int,
        verdicts: tuple[JudgeVerdict, ...] = (),
    ) -> None:
        self._free_run(run)
        self._journal.close(run, status, body, http_status, verdicts)
        self._serve_line()
        self._return_leases_when_idle()

    def _free_run(self, run: str) -> None:
        if (accounts := self._books.runs.get(run)) is not None:
            for hold in self._books.end(accounts):
                self._commits.write(AttemptReleased(hold.asked.ticket))

    # --- storage answers ---

    @handles
    def _loaded(self, loaded: BooksLoaded) -> None:
        if self._commits.loaded(loaded):
            self._books.load(loaded.accounts)
            if self._successor:
                for run in self._journal.inherit(loaded.running):
                    self.ctx.monitor(run_address(run))  # told at once if nobody carries it out
            self._serve_line()

    @handles
    def _committed(self, committed: Committed) -> None:
        if (batch := self._commits.committed(committed)) is None:
            return
        for asked in batch.asked:
            self._answer(asked)
        for end in batch.ended:
            self.ctx.reply(end, RunEnded(end.ticket))
        self._serve_line()
        self._return_leases_when_idle()

    @handles
    def _commit_failed(self, failed: CommitFailed) -> None:
        for asked in self._commits.failed(failed):
            self._take_back(asked)

    def _take_back(self, asked: Asked) -> None:
        """Undoes what was held for somebody who was not answered, and refuses him."""
        if isinstance(asked, Admit):
            self._free_run(asked.ticket)
        elif self._books.release(asked.ticket) is not None:
            self._commits.write(AttemptReleased(asked.ticket))
        self._refuse(asked, UNBOOKED)

    # --- housekeeping ---

    @handles
    def _look_around(self, _: LookAround) -> None:
        self._looking = False
        self._books.turn(month_of(self.ctx.wall()))
        self._books.look()
        self._return_leases()
        asked, ended = self._commits.overdue()
        for late in asked:
            self._take_back(late)
        for end in ended:
            self.ctx.reply(end, RunEnded(end.ticket, durable=False))
        self._serve_line()

    def _return_leases_when_idle(self) -> None:
        """At once, so that a process that makes one run and just ends leaves nothing leased; what
        was used lately stays until somebody looks around, for the next run.
        """
        if not self._books.runs:
            self._return_leases()

    def _return_leases(self, *, at_last: bool = False) -> None:
        for balance, amount in self._books.spare_leases(at_last=at_last):
            self._commits.write(LeaseReturned(balance.owner, balance.window, amount))

    def _keep_looking(self) -> None:
        if self._books.runs or not (self._books.idle and self._commits.idle):
            self._looking = True
            self.ctx.after(LOOK_S, LookAround())

    @handles
    def _reconfigure(self, message: ReconfigureLedger) -> None:
        self._books.limit(message.limit_nano)
        self._serve_line()

    @handles
    def _report(self, asked: GetAccounts) -> None:
        self._books.turn(month_of(self.ctx.wall()))
        listed = tuple(self._books.report())
        told = (self._unknown, self._overruns, self._commits.open)
        self.ctx.reply(asked, AccountsListed(asked.ticket, listed, *told))
