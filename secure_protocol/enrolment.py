"""All that a newcomer needs, in one URL: `scs://HOST:PORT?ca=sha256:HEX&token=TOKEN`.

Where the server is, which CA vouches for it (by its fingerprint, so that the certificate itself may come from
anywhere), and the token to begin with. The URL is a secret because the token is.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from secure_protocol.token import Token

SCHEME = "scs"
CHARACTERS_MAX = 1024
"""Of a URL; one with the longest host name has less than 500."""
_PARAMETERS_MAX = 16
"""Newer servers may add some; they are passed over."""
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_PIN = re.compile(r"sha256:([0-9A-Fa-f]{64})")


class EnrolmentFormatError(ValueError):
    """The text is no enrolment URL; the message says why and never repeats the text, which holds a secret."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the URL says. `repr()` is masked, as a token's is; `reveal()` is the one way to the whole.

    Attributes:
        host: a name or an address, without brackets.
        port: TCP port.
        pin: SHA-256 of the CA certificate's DER.
        token: to begin with.
    """

    host: str
    port: int
    pin: bytes
    token: Token = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL as a person pasted it; surrounding white space is ignored.

        Raises:
            EnrolmentFormatError: it is none.
            TokenFormatError: its token is none.
        """
        text = text.strip()
        if not text.startswith(f"{SCHEME}://"):
            raise EnrolmentFormatError("an enrolment URL begins with scs://")
        if len(text) > CHARACTERS_MAX or not (text.isascii() and text.isprintable()) or " " in text:
            raise EnrolmentFormatError("the URL has something added to it; copy it whole, and nothing else")
        try:
            parts = urlsplit(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX)
        except ValueError:
            raise EnrolmentFormatError("the URL is damaged; copy it again") from None
        if parts.path not in ("", "/") or parts.fragment or "@" in parts.netloc:
            raise EnrolmentFormatError("the URL has something added to it; copy it whole, and nothing else")
        values = dict(pairs)
        if len(values) != len(pairs):
            raise EnrolmentFormatError("the URL says the same thing twice; copy it again")
        host, port = _address(parts)
        return cls(host, port, _pin(values.get("ca")), Token.parse(_token(values.get("token"))))

    def reveal(self) -> str:
        """Return the URL, to be shown once."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        # The token's characters and a colon need no escape, in a query (RFC 3986 section 3.4).
        query = urlencode({"ca": f"sha256:{self.pin.hex()}", "token": self.token.reveal()}, safe=":")
        return f"{SCHEME}://{host}:{self.port}?{query}"


def _address(parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:  # no number, or beyond 65535
        port = None
    if not port:
        raise EnrolmentFormatError("the URL has no port from 1 to 65535 after its host")
    if parts.netloc.startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise EnrolmentFormatError("the URL has no IPv6 address between its brackets") from None
    elif not _HOST.fullmatch(host):
        raise EnrolmentFormatError("the URL names no host that there can be")
    return host, port


def _pin(text: str | None) -> bytes:
    if text is None:
        raise EnrolmentFormatError("the URL has no fingerprint of the CA (ca=sha256:…); copy it whole")
    match = _PIN.fullmatch(text)
    if match is None:
        raise EnrolmentFormatError("the fingerprint in the URL is not sha256: and 64 hex digits; copy it whole")
    return bytes.fromhex(match[1])


def _token(text: str | None) -> str:
    if not text:
        raise EnrolmentFormatError(
            "the URL ends before its token: put it in single quotes, or the shell cuts it at the &"
        )
    return text
