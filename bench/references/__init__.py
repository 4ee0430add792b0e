"""The same vote-3 without an engine: what the engine is compared with, in the same run."""
