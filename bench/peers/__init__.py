"""The same vote with what others offer: a script each, run in an environment of its own."""
