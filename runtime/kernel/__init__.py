"""The kernel: actors' cells and their mailboxes, run by one dispatcher under supervision.

It knows nothing of models or money.  All but `host` and `loop` is synchronous and free of trio, so
that a plain loop with virtual time can drive the same kernel.  What it promises, each with a test
of the same name:

Messages
 1. `messages_are_bytes`: a mailbox holds msgpack, so sender and receiver share nothing.
 2. `a_lane_keeps_its_order`: what one sender tells one actor is handled in that order.
 3. `urgent_messages_first`: a `Down`, or an order to stop or kill, is handled before user messages.
 4. `only_new_work_is_refused`: a full mailbox answers new work with `Overloaded`; replies,
    settlements, cancels and timers always enter.
 5. `dead_letters_are_counted`: a message nobody handles is counted by kind, and logged seldom and
    by type and address alone; never silence, never content.

Turns
 6. `at_most_64_messages_a_turn`: then the next cell has its turn.
 7. `a_turn_looks_again_before_each_message`: a cell that has ended handles nothing more.
 8. `a_failure_stays_in_its_cell`: whatever a handler raises, `SystemExit` included.
 9. `timers_end_with_their_incarnation`: and so do the monitors an incarnation has set.
10. `one_wake_up_per_batch`: other threads wake the dispatcher once, however much they tell it.

Asks and monitors
11. `every_ask_is_settled_once`: by its reply, by the end of whom it asked, by its deadline, or by
    the end of the system; whatever crashes or stops in between.
12. `queued_asks_outlive_a_crash`: the crash of an actor fails the asks it had taken, not those
    that still lie in its mailbox.
13. `monitors_hear_once`: one `Down` per monitor, at once if nobody is there; a restart is an end.
14. `one_future_for_trio_asyncio_and_threads`: awaited in either, `get` in threads, callbacks.
15. `waiting_on_the_engines_thread_raises`: instead of hanging.

Supervision
16. `a_restart_keeps_address_and_mailbox`: the behaviour is new, what was queued is handled.
17. `permanent_transient_temporary`: restarted always, after an abnormal end, never.
18. `the_rest_restarts_in_order`: rest_for_one suspends those started later, last first, and starts
    them again in order; one_for_one and one_for_all likewise concern one and all.
19. `too_many_restarts_escalate`: to the supervisor above; the root's failure ends the system,
    and every ask is told.
20. `backoff_does_not_block`: a supervisor that waits to restart one child supervises the others.
21. `poison_is_counted_apart`: a message over which an actor crashed is never handled again, and
    no number of such crashes makes a supervisor give up.
22. `shutdown_is_in_reverse`: the last started first, what is queued handled, within `shutdown_s`.
23. `spawned_actors_cost_no_registry`: starting and ending a request's actor is O(1).

Blocking actors
24. `a_batch_is_answered_together`: one `handle` for all that has arrived, one wake-up for the
    replies.
25. `a_crashed_batch_is_lost_alone`: its askers are told, what came later is served.

The host
26. `the_dispatcher_shares_its_loop`: a checkpoint after a millisecond of work.
27. `fifty_times_in_one_process`: start and stop leave no thread, socket or registry entry.
28. `the_process_is_left_alone`: no signal handler, no setting of the garbage collector.
29. `a_failed_service_ends_the_system`: every ask is told, `failure` says why.
"""

from runtime.kernel.blocking import BlockingActor, BlockingContext
from runtime.kernel.errors import ActorStopped, AskTimeout, SystemFailed, WaitTimeout, WrongThread
from runtime.kernel.future import Future
from runtime.kernel.host import Host, Service
from runtime.kernel.loop import AT_ONCE, Loop, Parking, Turn
from runtime.kernel.system import REQUESTS, Statistics, System

__all__ = [
    "AT_ONCE",
    "REQUESTS",
    "ActorStopped",
    "AskTimeout",
    "BlockingActor",
    "BlockingContext",
    "Future",
    "Host",
    "Loop",
    "Parking",
    "Service",
    "Statistics",
    "System",
    "SystemFailed",
    "Turn",
    "WaitTimeout",
    "WrongThread",
]
