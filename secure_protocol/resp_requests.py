r"""Requests as programs send them: RESP arrays of bulk strings.

`*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n`, as https://redis.io/docs/latest/develop/reference/protocol-spec/
defines it.
Only that form is a request. Between two of them an empty or null array (`*0`, `*-1`) or line end asks for nothing, and
is passed over, as by Redis: `redis-cli --pipe` sends one. Everything else is a fatal ProtocolError, and no header is
believed beyond the limits.
"""

from __future__ import annotations

from collections.abc import Sequence

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import RequestLimits

Request = list[bytes]
Arguments = Sequence[bytes]
"""Of a request: what follows the command's name."""
Run = tuple[bytes, list[Arguments]]
"""Requests that came one after the other for one command: its name, and the arguments of each, as many in all."""
Runs = list[Run | ProtocolError]
"""In order; an error ends all."""

HEADER_BYTES = 32
"""The longest `*…` or `$…` line looked at; the largest lawful number needs far fewer."""
_BLANK = (b"", b"*-1")
"""Headers that ask for nothing; `*0` has other spellings, and is found by its number."""

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

    Attributes:
        blank: what was passed over since the caller last set it to 0: empty and null arrays, and bare line ends.
    """

    __slots__ = ("_arguments", "_buffer", "_length", "_missing", "_searched", "_size", "blank")

    def __init__(self) -> None:
        self.blank = 0
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

    @property
    def unfinished(self) -> bool:
        """Whether something was received and not decoded: after all that is complete was, a request half sent."""
        return bool(self._buffer) or self._missing > 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer += data

    def take(self, data: bytes, limits: RequestLimits, most: int) -> Runs:
        """`feed` and `decode` in one step, where requests for one command come together, to be answered together.

        Whole requests, with nothing left from before, are not even buffered. Where `blank` says that something was
        passed over, there may be more to `decode`.
        """
        if self._buffer or self._missing:
            self._buffer += data
            return self._decode(limits, most)
        runs, taken = _decode_fast(data, limits, most)
        if taken == len(data):
            return runs
        self._buffer += data[taken:]
        return self._decode_on(runs, limits, most)

    def decode(self, limits: RequestLimits, most: int) -> list[Request | ProtocolError]:
        """Return at most `most` complete requests, in order. After a ProtocolError nothing follows, in no later call.

        What is passed over is of the `most`, so that no call takes longer for it.
        What is left over is judged by the limits of the call that takes it.
        """
        return requests_in(self._decode(limits, most))

    def _decode(self, limits: RequestLimits, most: int) -> Runs:
        runs: Runs = []
        if not self._buffer:
            return runs
        if self._missing < 0:
            self._buffer.clear()
            return runs
        if self._missing == 0 and not self._searched:
            runs, taken = _decode_fast(bytes(self._buffer), limits, most)
            del self._buffer[:taken]
        return self._decode_on(runs, limits, most)

    def _decode_on(self, runs: Runs, limits: RequestLimits, most: int) -> Runs:
        """Decode what is not for the fast road, or cannot be told yet."""
        most -= sum(len(run[1]) for run in runs if isinstance(run, tuple))
        try:
            while most > 0 and (request := self._decode_strict(limits)) is not None:
                most -= 1
                if request:
                    _add(runs, request[0], request[1:])
                else:
                    self.blank += 1
        except ProtocolError as error:
            self._missing, self._length, self._size, self._arguments = -1, -1, 0, []
            self._buffer.clear()
            runs.append(error.with_traceback(None))  # which holds this frame, and so the list, and whoever called
        return runs

    def _decode_strict(self, limits: RequestLimits) -> Request | None:
        """Return the next request, an empty list for what is passed over, or None where more bytes are needed."""
        if self._missing == 0 and not (begun := self._begin(limits)):
            return None if begun is None else []
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

    def _begin(self, limits: RequestLimits) -> bool | None:
        """Read the first line of a request: whether it asks for something; None where more bytes are needed."""
        if self._buffer.startswith(b"\n"):
            del self._buffer[:1]
            return False
        header = self._take_line()
        if header is None:
            return None
        if header in _BLANK:
            return False
        if header[:1] != b"*":
            raise ProtocolError("Protocol error: expected '*', got {found}", found=_shown(header))
        self._missing = _number(header, limits.arguments, "Protocol error: invalid multibulk length")
        return self._missing > 0

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


def requests_in(runs: Runs) -> list[Request | ProtocolError]:
    """Return the requests one by one, and an error in its place."""
    requests: list[Request | ProtocolError] = []
    for run in runs:
        if isinstance(run, ProtocolError):
            requests.append(run)
        else:
            name, each = run
            requests += [[name, *arguments] for arguments in each]
    return requests


def _decode_fast(data: bytes, limits: RequestLimits, most: int) -> tuple[Runs, int]:
    """Return ordinary requests from the front of `data`, and how many bytes they were."""
    runs: Runs = []
    if most <= 0 or len(data) > limits.argument_and_request_bytes or limits.arguments < _MOST_ARGUMENTS:
        return runs, 0  # else nothing in it can be over a limit
    parts = data.split(b"\r\n", most * _MOST_LINES)  # no more than may be taken: never quadratic
    last = len(parts) - 1  # what follows the last line end: empty, or the start of something unfinished
    if not parts[last]:
        if last == 1 + _LINES.get(parts[0], last):  # one request alone
            if _fit(parts[1:last:2], parts[2::2]):
                return [(parts[2], [parts[4::2]])], len(data)
        elif run := _alike(parts, most):
            return [run], len(data)
    index = 0
    while index < last and most and (following := index + 1 + _LINES.get(parts[index], last)) <= last:
        if not _fit(parts[index + 1 : following : 2], parts[index + 2 : following : 2]):
            break
        _add(runs, parts[index + 2], parts[index + 4 : following : 2])
        index = following
        most -= 1
    return runs, _length_before(parts, index, data)


def _alike(parts: list[bytes], most: int) -> Run | None:
    """Return what came as one run where all is for the same command, with as many arguments each; else None.

    That is mostly what a pipeline is, and nothing of it is looked at one by one in Python.

    Args:
        parts: lines, and what follows the last line end, which is nothing.
        most: requests that may be taken.
    """
    header = parts[0]
    step = 1 + _LINES.get(header, len(parts))
    count, rest = divmod(len(parts) - 1, step)
    if rest or not 0 < count <= most:
        return None
    name = parts[2]
    if _LENGTHS.get(parts[1]) != len(name):
        return None
    # The lines up to the name are the first request's in all of them: `count` compares them in C.
    if not parts[:-1:step].count(header) == parts[1:-1:step].count(parts[1]) == parts[2::step].count(name) == count:
        return None
    columns: list[list[bytes]] = []
    for index in range(3, step, 2):
        column = parts[index + 1 :: step]
        if not _fit(parts[index:-1:step], column):
            return None
        columns.append(column)
    return name, [*zip(*columns, strict=True)] if columns else [()] * count


def _add(runs: Runs, name: bytes, arguments: Request) -> None:
    """Put a request to the last run, or begin another one."""
    last = runs[-1] if runs else None
    if isinstance(last, tuple) and last[0] == name and len(last[1][0]) == len(arguments):
        last[1].append(arguments)
    else:
        runs.append((name, [arguments]))


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
