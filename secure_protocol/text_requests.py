"""Requests as people type them: one UTF-8 line each, quoting as in Redis' inline commands."""

from __future__ import annotations

import re

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import RequestLimits

Request = list[bytes]

BLANK_BYTES = 64
"""So many bytes of an empty line, which may be all blanks, count as much as a request: they are looked at as well."""

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}
_SPACE = b" \t\n\r\v\f"
_PLAIN_WORD = re.compile(rb"[^ \t\n\r\v\f][^ \t\n\r]*")  # as Redis: \v and \f part words only where blanks do
_PIECE = re.compile(
    rb"""
    [ \t\n\r\v\f]+
    | "((?:[^"\\]|\\.)*)"             # double quotes: \n \r \t \b \a \xHH, any other \c is c
    | '((?:[^'\\]|\\'|\\(?!'))*)'    # single quotes: \' alone is special, even behind a backslash
    | ([^ \t\n\r"']+)
    """,
    re.VERBOSE | re.DOTALL,
)
_DOUBLE_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_UNTYPABLE = r"[\x00-\x1f\x7f\udc80-\udcff]"
_HTTP = re.compile(rb"(?:[A-Z]+ \S+ HTTP/\d|POST(?: |$)|Host:)", re.IGNORECASE)
_ORDINARY = bytes(byte for byte in range(0x20, 0x7F) if byte not in b"\"'/:") + b"\n"
"""Bytes that only ever mean themselves; of what `_HTTP` looks for, they can write POST alone."""


class TextRequestDecoder:
    """Turns received bytes into requests, line by line.

    Two roads, one language: `_ordinary` reads whole, ordinary lines at once; of whatever is not, `decode_line` judges
    each.

    `feed` takes bytes as they come; `decode` gives what is complete. The unfinished rest is never longer than the
    limits allow: a longer one is a fatal ProtocolError.

    Attributes:
        blank: what was passed over since the caller last set it to 0: empty lines, one for each 64 bytes of them begun.
    """

    __slots__ = ("_broken", "_buffer", "_searched", "blank")

    def __init__(self) -> None:
        self.blank = 0
        self._buffer = bytearray()
        self._searched = 0  # bytes known to hold no line end, so that a slow line is not searched again and again
        self._broken = False  # a fatal error was found

    @property
    def buffered(self) -> int:
        """Bytes received and not decoded yet."""
        return len(self._buffer)

    @property
    def unfinished(self) -> bool:
        """Whether something was received and not decoded: after all that is complete was, a request half sent."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer += data

    def decode(self, limits: RequestLimits, most: int) -> list[Request | ProtocolError]:
        """Return at most `most` complete requests, in order. Empty lines are passed over, but are of the `most`.

        A line that is no request stands as a ProtocolError in its place. After a fatal one nothing follows, in no
        later call. What is left over is judged by the limits of the call that takes it.
        """
        if not (self._searched or self._broken) and (ordinary := _ordinary(self._buffer, limits, most)) is not None:
            requests, blank = ordinary
            if blank:
                self.blank += blank
            self._buffer.clear()
            return requests
        found: list[Request | ProtocolError] = []
        start = 0
        for _ in range(0 if self._broken else most):
            end = self._buffer.find(b"\n", max(start, self._searched))
            if end < 0:
                self._searched = len(self._buffer)
                if len(self._buffer) - start > limits.line_bytes + 1:  # one more: it may be the end's \r
                    found.append(_too_long(limits))
                    self._broken = True
                break
            line = bytes(self._buffer[start:end]).removesuffix(b"\r")
            start = end + 1
            if not line:  # nothing to look at, and whoever wants to keep the server busy sends many
                self.blank += 1
                continue
            request = decode_line(line, limits) if len(line) <= limits.line_bytes else _too_long(limits)
            if request:
                found.append(request)
                if isinstance(request, ProtocolError) and request.fatal:
                    self._broken = True
                    break
            else:
                self.blank += 1 + len(line) // BLANK_BYTES
        del self._buffer[: len(self._buffer) if self._broken else start]
        self._searched = max(0, self._searched - start)
        return found


def _ordinary(buffer: bytearray, limits: RequestLimits, most: int) -> tuple[list[Request | ProtocolError], int] | None:
    """Return the requests of whole lines that cannot be wrong, nor more than `most`, and how many lines were empty.

    None: each is to be judged.
    """
    # A word takes two bytes at least, a blank or a line end included, so not even the number of words is too great.
    if len(buffer) > min(2 * limits.arguments, limits.line_bytes, limits.argument_bytes, limits.request_bytes):
        return None
    # Before all that is dearer: what waits may be looked at for each line that is taken of it.
    if (count := buffer.count(b"\n")) > most:
        return None
    lines = bytes(buffer).replace(b"\r\n", b"\n")
    if not lines.endswith(b"\n") or lines.translate(None, _ORDINARY) or lines.upper().find(b"POST") >= 0:
        return None
    requests: list[Request | ProtocolError] = [words for line in lines.split(b"\n") if (words := line.split())]
    return requests, count - len(requests)


def _too_long(limits: RequestLimits) -> ProtocolError:
    return ProtocolError("The line is longer than {limit} bytes.", limit=limits.line_bytes)


def decode_line(line: bytes, limits: RequestLimits) -> Request | ProtocolError:
    """Split one line, without its end, into a command's name and arguments; an empty line gives an empty list."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return ProtocolError("The line is not valid UTF-8 (byte {position}).", position=error.start + 1, fatal=False)
    if (control := _CONTROL.search(line)) is not None:
        return ProtocolError(
            "The line holds a control character (byte {position}).", position=control.start() + 1, fatal=False
        )
    if _HTTP.match(line):
        return ProtocolError("This is not an HTTP server.")
    try:
        request = split(line)
    except ValueError:
        return ProtocolError("Unbalanced quotes in the line.", fatal=False)
    if len(request) > limits.arguments:
        return ProtocolError("More than {limit} arguments.", limit=limits.arguments, fatal=False)
    if len(line) > limits.argument_bytes and max(map(len, request), default=0) > limits.argument_bytes:
        return ProtocolError("An argument is longer than {limit} bytes.", limit=limits.argument_bytes, fatal=False)
    if len(line) > limits.request_bytes and sum(map(len, request)) > limits.request_bytes:
        return ProtocolError("The request is longer than {limit} bytes.", limit=limits.request_bytes, fatal=False)
    return request


def split(line: bytes) -> Request:
    r"""Split a line as Redis does: blanks separate, `"…"` takes escapes, `'…'` takes only `\'`.

    Raises:
        ValueError: a quote is not closed, or text follows a closing quote at once.
    """
    if line.find(b'"') < 0 and line.find(b"'") < 0:  # `in` is slower: it takes the quote for a number first
        return _PLAIN_WORD.findall(line)
    request: Request = []
    position, open_word = 0, False
    while position < len(line):
        piece = _PIECE.match(line, position)
        if piece is None:
            raise ValueError("unbalanced quotes")
        position = piece.end()
        double, single, plain = piece.groups()
        if double is None and single is None and plain is None:
            open_word = False
            continue
        word = _unescape(double) if double is not None else _unquote(single, plain)
        quoted = plain is None
        if quoted and position < len(line) and line[position] not in _SPACE:
            raise ValueError("text after a closing quote")
        if open_word:
            request[-1] += word
        else:
            request.append(word)
        open_word = True
    return request


def _unquote(single: bytes | None, plain: bytes) -> bytes:
    return plain if single is None else single.replace(rb"\'", b"'")


def _unescape(double: bytes) -> bytes:
    def character(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        if len(escape) == 3:
            return bytes.fromhex(escape[1:].decode("ascii"))
        return _ESCAPES.get(escape, escape)

    return _DOUBLE_ESCAPE.sub(character, double)


def quote(argument: str) -> str:
    """Return `argument` so that `split` gives it back whole; left alone where no quoting is needed.

    A byte that is not UTF-8, held as a lone surrogate (PEP 383), becomes an escape, so that the line can be sent.
    """
    if argument and not re.search(rf"[\s\"'\\]|{_UNTYPABLE}", argument):
        return argument
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(_UNTYPABLE, lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", escaped) + '"'
