"""Validation that may take long, in worker processes that can be killed.

A regular expression or a `uniqueItems` of somebody's schema can hold a processor for hours.  Here
it has one second, in a process of its own; the engine's thread does not notice.

The processes are our own and not `anyio.to_process`: that one runs the host's main module again in
each worker, and a host script without a `__main__` guard would then plan, and pay, once more.
"""

from runtime.validation.validator import LIMIT_S, Validator

__all__ = ["LIMIT_S", "Validator"]
