"""The msgpack socket, TCP or Unix: many requests at once on one connection, answers in any order.

`frames` cuts the stream, `messages` says what a frame may hold, `conversation` is one connection's
talk without the connection; `session` carries it out, `peer` moves its bytes, `server` has them
all, `addresses` says where.
"""
