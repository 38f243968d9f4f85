r"""Requests as programs send them: RESP arrays of bulk strings.

`*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n`, as https://redis.io/docs/latest/develop/reference/protocol-spec/
defines it.
Only that form is a request; everything else is a fatal ProtocolError, and no header is believed beyond the limits.
"""

from __future__ import annotations

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import RequestLimits

Request = list[bytes]

HEADER_BYTES = 32
"""The longest `*…` or `$…` line looked at; the largest lawful number needs far fewer."""

_LINES = {b"*%d" % count: 2 * count for count in range(1, 9)}
"""How many lines follow the first one of an ordinary request; a miss only means that the strict decoder decides."""
_MOST_ARGUMENTS = len(_LINES)
_MOST_LINES = 1 + 2 * _MOST_ARGUMENTS
_LENGTHS = {b"$%d" % length: length for length in range(1025)}
"""Likewise, of an ordinary argument."""


class RespRequestDecoder:
    """Turns received bytes into requests.

    Two roads, one language: `_decode_fast` takes whole, ordinary requests from the front of what came, and whatever
    it does not recognise is left to `_decode_strict`, which remembers where it stopped, so that a request that
    trickles in byte by byte costs no rescanning.
    """

    __slots__ = ("_arguments", "_buffer", "_length", "_missing", "_searched", "_size")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._arguments: Request = []
        self._missing = 0  # arguments of the current request still to come; -1 after an error, for good
        self._length = -1  # bytes of the argument being read, or -1 while its header is awaited
        self._size = 0  # bytes of the current request's arguments as announced so far
        self._searched = 0  # bytes of the buffer known to hold no header end

    @property
    def buffered(self) -> int:
        """Bytes held: received and not decoded yet, and arguments of an unfinished request."""
        return len(self._buffer) + self._size - max(0, self._length)

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer += data

    def take(self, data: bytes, limits: RequestLimits, most: int) -> list[Request | ProtocolError]:
        """`feed` and `decode` in one step; whole requests, with nothing left from before, are not even buffered."""
        found: list[Request | ProtocolError] = []
        if not self._buffer and self._missing == 0:
            found, taken = _decode_fast(data, limits, most)
            if taken == len(data):
                return found
            data = data[taken:]
        self._buffer += data
        return found + self.decode(limits, most - len(found))

    def decode(self, limits: RequestLimits, most: int) -> list[Request | ProtocolError]:
        """Return at most `most` complete requests, in order. After a ProtocolError nothing follows, in no later call.

        What is left over is judged by the limits of the call that takes it.
        """
        found: list[Request | ProtocolError] = []
        if not self._buffer:
            return found
        if self._missing == 0:
            if not self._searched:
                found, taken = _decode_fast(bytes(self._buffer), limits, most)
                del self._buffer[:taken]
        elif self._missing < 0:
            self._buffer.clear()
            return found
        try:
            while len(found) < most and (request := self._decode_strict(limits)) is not None:
                if request:
                    found.append(request)
        except ProtocolError as error:
            self._missing, self._length, self._size, self._arguments = -1, -1, 0, []
            self._buffer.clear()
            found.append(error)
        return found

    def _decode_strict(self, limits: RequestLimits) -> Request | None:
        """Return the next request, an empty list for an empty array, or None where more bytes are needed."""
        if self._missing == 0:
            header = self._take_line()
            if header is None:
                return None
            if header[:1] != b"*":
                raise ProtocolError("Protocol error: expected '*', got {found}", found=_shown(header))
            self._missing = _number(header, limits.arguments, "Protocol error: invalid multibulk length")
            if self._missing == 0:
                return []
        while self._missing:
            if self._length < 0:
                header = self._take_line()
                if header is None:
                    return None
                if header[:1] != b"$":
                    raise ProtocolError("Protocol error: expected '$', got {found}", found=_shown(header))
                self._length = _number(header, limits.argument_bytes, "Protocol error: invalid bulk length")
                self._size += self._length
                if self._size > limits.request_bytes:
                    raise ProtocolError("The request is longer than {limit} bytes.", limit=limits.request_bytes)
            if len(self._buffer) < self._length + 2:
                return None
            if self._buffer[self._length : self._length + 2] != b"\r\n":
                raise ProtocolError("Protocol error: the argument is longer than its length says")
            self._arguments.append(bytes(self._buffer[: self._length]))
            del self._buffer[: self._length + 2]
            self._length = -1
            self._missing -= 1
        request, self._arguments, self._size = self._arguments, [], 0
        return request

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", max(0, self._searched - 1), HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= HEADER_BYTES:
                raise ProtocolError("Protocol error: too big count string")
            self._searched = len(self._buffer)
            return None
        self._searched = 0
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _decode_fast(data: bytes, limits: RequestLimits, most: int) -> tuple[list[Request | ProtocolError], int]:
    """Return ordinary requests from the front of `data`, and how many bytes they were."""
    found: list[Request | ProtocolError] = []
    if most <= 0 or len(data) > limits.argument_and_request_bytes or limits.arguments < _MOST_ARGUMENTS:
        return found, 0  # else nothing in it can be over a limit
    parts = data.split(b"\r\n", most * _MOST_LINES)  # no more than may be taken: never quadratic
    if alike := _alike(parts, most):
        return alike, len(data)
    last = len(parts) - 1  # what follows the last line end: empty, or the start of something unfinished
    index = 0
    while index < last and most and (following := index + 1 + _LINES.get(parts[index], last)) <= last:
        request = parts[index + 2 : following : 2]
        if not _fit(parts[index + 1 : following : 2], request):
            break
        found.append(request)
        index = following
        most -= 1
    return found, _length_before(parts, index, data)


def _alike(parts: list[bytes], most: int) -> list[Request | ProtocolError]:
    """Return the requests where all have as many arguments as the first and nothing follows the last; else none.

    That is one request alone, and mostly what a pipeline is; nothing of it is looked at one by one in Python.
    """
    header = parts[0]
    lines = _LINES.get(header)
    if lines is None or parts[-1]:
        return []
    if len(parts) == lines + 2:
        request = parts[2::2]
        return [request] if _fit(parts[1:-1:2], request) else []
    count, rest = divmod(len(parts) - 1, lines + 1)
    if rest or count > most or parts[: -1 : lines + 1].count(header) != count:
        return []
    lengths_and_arguments = parts[:-1]
    del lengths_and_arguments[:: lines + 1]
    arguments = lengths_and_arguments[1::2]
    if not _fit(lengths_and_arguments[::2], arguments):
        return []
    return [*map(list, zip(*[iter(arguments)] * (lines // 2), strict=True))]


def _fit(headers: list[bytes], arguments: list[bytes]) -> bool:
    """Whether each `$…` says how long its argument is."""
    return [*map(_LENGTHS.get, headers)] == [*map(len, arguments)]


def _length_before(parts: list[bytes], index: int, data: bytes) -> int:
    """Return how many bytes of `data` stand before the line `index` of its `parts`."""
    rest = parts[index] if index == len(parts) - 1 else b"\r\n".join(parts[index:])
    return len(data) - len(rest)


def _number(header: bytes, limit: int, sentence: str) -> int:
    digits = header[1:]
    if not digits.isdigit() or int(digits) > limit:
        raise ProtocolError(sentence)
    return int(digits)


def _shown(header: bytes) -> str:
    first = header[:1]
    return f"'{first.decode('ascii')}'" if first.isalnum() or first in (b"$", b"*") else "something else"


def encode_request(arguments: list[bytes]) -> bytes:
    """Return the bytes of one request: the client's half of this file."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)
