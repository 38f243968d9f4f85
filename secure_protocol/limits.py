"""How much one peer may send, before and after it authenticated, and how much it is answered at once."""

from __future__ import annotations

from secure_protocol.value import Value, put

ARGUMENT_WEIGHT = 64
"""Bytes of memory that an argument, or a request, costs besides its own: an object's header, and a place in a list."""


class RequestLimits(Value):
    """Bounds on one request.

    Attributes:
        line_bytes: a text line, without its end.
        arguments: the command's name and its arguments.
        argument_bytes: one argument.
        request_bytes: all arguments together.
        argument_and_request_bytes: what is no longer than this is over neither limit.
        weight: bytes of memory that one request takes at most.
    """

    line_bytes: int
    arguments: int
    argument_bytes: int
    request_bytes: int
    argument_and_request_bytes: int
    weight: int
    __match_args__ = ("line_bytes", "arguments", "argument_bytes", "request_bytes")
    __slots__ = (*__match_args__, "argument_and_request_bytes", "weight")

    def __init__(self, line_bytes: int, arguments: int, argument_bytes: int, request_bytes: int) -> None:
        put(self, "line_bytes", line_bytes)
        put(self, "arguments", arguments)
        put(self, "argument_bytes", argument_bytes)
        put(self, "request_bytes", request_bytes)
        put(self, "argument_and_request_bytes", min(argument_bytes, request_bytes))
        put(self, "weight", max(request_bytes, line_bytes) + ARGUMENT_WEIGHT * (arguments + 1))


BEFORE_AUTHENTICATION = RequestLimits(line_bytes=4096, arguments=8, argument_bytes=4096, request_bytes=4096)
"""A token and a client's name fit many times over; strangers get no more (CVE-2021-32675)."""

REPLY_BYTES = 16 * 1024 * 1024
"""The longest reply, or part of one that streams, encoded. It is copied on the I/O thread: half a gigabyte kept all
clients waiting for two seconds, this for some hundredths of one. Whoever has more to say yields it in parts."""

AUTHENTICATED = RequestLimits(
    line_bytes=64 * 1024, arguments=1024, argument_bytes=512 * 1024, request_bytes=1024 * 1024
)
"""Room for a small file in an argument; a line is typed by a person."""
