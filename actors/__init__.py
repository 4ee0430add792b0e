"""What happens: every decision of planhub, as synchronous functions of a message and a state.

Nothing in this package waits, reads a clock, opens a file or draws a random number: all of that
comes in through :class:`actors.base.Context`.  `runtime` imports `actors`, never the other way.

General layout, in the order to read it:

- `protocol`, `events`: every message that crosses a mailbox; every event a user can watch.
- `base`, `errors`, `tree`: what an actor is, what can go wrong and whose fault it is, who
  supervises whom.
- `orchestrator`, `router`, `provider_pool`, `judge`, `cost_ledger`: the actors; each imports the
  parts it is made of, one idea a file (`calls`, `first_calls`, `closing`; `commits`, `waiting`).
- `strategies`: one file per mode, as plain generators.
- `domain`: pure functions and tables (money, prices, scores, breakers, prompts, schemas).
"""
