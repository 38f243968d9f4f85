"""How much one peer may send, before and after it authenticated, and how much it is answered at once."""

from __future__ import annotations

from dataclasses import dataclass, field

ARGUMENT_WEIGHT = 64
"""Bytes of memory that an argument, or a request, costs besides its own: an object's header, and a place in a list."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
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
    argument_and_request_bytes: int = field(init=False, repr=False)
    weight: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "argument_and_request_bytes", min(self.argument_bytes, self.request_bytes))
        longest = max(self.request_bytes, self.line_bytes)
        object.__setattr__(self, "weight", longest + ARGUMENT_WEIGHT * (self.arguments + 1))


BEFORE_AUTHENTICATION = RequestLimits(line_bytes=4096, arguments=8, argument_bytes=4096, request_bytes=4096)
"""A token and a client's name fit many times over; strangers get no more (CVE-2021-32675)."""

REPLY_BYTES = 16 * 1024 * 1024
"""The longest reply, or part of one that streams, encoded. It is copied on the I/O thread: half a gigabyte kept all
clients waiting for two seconds, this for some hundredths of one. Whoever has more to say yields it in parts."""

AUTHENTICATED = RequestLimits(
    line_bytes=64 * 1024, arguments=1024, argument_bytes=512 * 1024, request_bytes=1024 * 1024
)
"""Room for a small file in an argument; a line is typed by a person."""
