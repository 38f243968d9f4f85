"""The credential: a token `scs_<id>_<secret>_<crc>`.

The id is public and names the token in lists and logs. The secret is 256 random bits. The CRC lets a typo, a
truncated paste or a leak scanner be told offline, before anything is sent.
"""

from __future__ import annotations

import re
import zlib
from typing import Self

from secure_protocol.value import Value, put

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = "scs"
ID_LENGTH = 10
"""Characters; 59 bits, so that ids do not collide and stay short enough to read out."""
SECRET_LENGTH = 43
"""Characters; 62**43 > 2**256."""
CRC_LENGTH = 6
"""Characters; 62**6 > 2**32."""


_WRITTEN = rf"(?i:({PREFIX}_(?!\.(?:\s|$))[0-9A-Z]{{0,{ID_LENGTH}}})\S*)"
"""Not where a sentence ends with the bare prefix."""


class TokenFormatError(ValueError):
    """The text is not a token; the message says why and never repeats the text."""


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))


def _crc(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), CRC_LENGTH)


class Token(Value):
    """A whole token. `str()` and `repr()` are masked; `reveal()` is the one way to the secret.

    Attributes:
        id: public, `ID_LENGTH` base62 characters.
        secret: `SECRET_LENGTH` base62 characters.
    """

    id: str
    secret: str
    __slots__ = __match_args__ = ("id", "secret")

    def __init__(self, id: str, secret: str) -> None:  # noqa: A002 - what it is called
        put(self, "id", id)
        put(self, "secret", secret)

    @classmethod
    def generate(cls) -> Self:
        """Make a new token from the operating system's randomness."""
        import secrets  # noqa: PLC0415 - it brings much, and whoever only has a token makes none

        return cls(
            "".join(secrets.choice(BASE62) for _ in range(ID_LENGTH)),
            _base62(secrets.randbits(256), SECRET_LENGTH),
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a token as a person pasted it; surrounding white space is ignored.

        Raises:
            TokenFormatError: it is not a token, or its checksum shows that it was cut or mistyped.
        """
        parts = text.strip().split("_")
        if parts[0] != PREFIX:
            raise TokenFormatError(f"a token begins with {PREFIX}_")
        if len(parts) != 4 or [len(part) for part in parts[1:]] != [ID_LENGTH, SECRET_LENGTH, CRC_LENGTH]:
            raise TokenFormatError("the token is incomplete or has something added to it; copy it whole")
        if not all(part.isascii() and part.isalnum() for part in parts[1:]):  # BASE62, and nothing else, is both
            raise TokenFormatError("the token holds a character that no token has")
        if _crc(f"{PREFIX}_{parts[1]}_{parts[2]}") != parts[3]:
            raise TokenFormatError("the token's checksum does not match: it was mistyped or cut")
        return cls(parts[1], parts[2])

    def reveal(self) -> str:
        """Return the whole token, to be shown once or sent to the server."""
        body = f"{PREFIX}_{self.id}_{self.secret}"
        return f"{body}_{_crc(body)}"

    def __str__(self) -> str:
        return f"{PREFIX}_{self.id}_…"

    def __repr__(self) -> str:
        return f"Token(id={self.id!r})"


def redact(text: str) -> str:
    """Return `text` with every token in it cut to its public id, a mistyped or unfinished one too.

    For what people read and files keep: logs, the audit trail. Nothing else looks like `scs_…`, so more is cut rather
    than less: everything up to the next white space.
    """
    if "_" not in text:  # as in most texts: the look takes 0.1 µs, the search 7
        return text
    return re.sub(_WRITTEN, r"\1_…", text)
