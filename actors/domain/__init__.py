"""Pure functions and tables: no actor, no message, no state that outlives a call."""
