"""HTTP to the vendors at the least cost: no task, scope or copy for an exchange.

A request is written at once to a kept connection, its answer is parsed when the reactor says that
it is there, and its deadline is a number that the connection's one timer looks at.

`transport` keeps the connections of a vendor and the exchanges on them; `connection` carries an
exchange out; `answer` reads what comes; `connecting` opens sockets, in tasks; `channel` is what
moves bytes, plain or in TLS; `requests` writes header blocks.
"""

from runtime.transport.reactor.transport import ReactorTransport

__all__ = ["ReactorTransport"]
