"""Where to connect and as whom, and what the server makes of it."""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

from secure_client.core.endpoint import Endpoint, TransportChoice
from secure_client.core.trust import SYSTEM_TRUST, Trust
from secure_client.errors import AuthenticationError
from secure_client.i18n import _
from secure_protocol.limits import AUTHENTICATED
from secure_protocol.printable import printable
from secure_protocol.token import Token, TokenFormatError

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:_[A-Za-z]{2,8})?")


class Mechanism(StrEnum):
    """How a token is shown."""

    SCRAM = "scram"
    """It is proved, not sent, and the server proves itself too."""
    BEARER = "bearer"
    """It is sent as it is, for servers that know no better."""


class Login(NamedTuple):
    """Where to connect, whom to believe, and as whom.

    Attributes:
        endpoint: the server.
        trust: of no meaning on a Unix socket, which has no TLS.
        token: None on a Unix socket, whose server knows its peer, and where a certificate stands in for it.
        name: shown in the server's list of clients.
        language: of the server's sentences, such as `pt_BR`; None leaves it to the server.
        mechanism: how the token is shown; never another than this one, whatever the server says.
        profile: the name under which the user saved the server; empty where it is not saved.
        transport: by what to connect; of no meaning on a Unix socket.
        last: `tls` where QUIC was not there the last time, so that `auto` begins by TLS; else empty.
    """

    endpoint: Endpoint
    trust: Trust = SYSTEM_TRUST
    token: Token | None = None
    name: str = "secure-client"
    language: str | None = None
    mechanism: Mechanism = Mechanism.SCRAM
    profile: str = ""
    transport: TransportChoice = TransportChoice.TLS
    last: str = ""

    @classmethod
    def of(
        cls,
        endpoint: Endpoint | str,
        token: Token | str | None,
        ca: Path | str | None,
        certificate: Path | str | None,
        key: Path | str | None,
        name: str,
        language: str | None,
        mechanism: Mechanism | str,
        transport: TransportChoice | str | None = None,
    ) -> Self:
        """Return one from what a program's author writes.

        Raises:
            SetupError: the endpoint is none, or has no such transport.
            ValueError: the mechanism or the transport is none.
            AuthenticationError: the token cannot be one.
        """
        written = Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint
        address, chosen = written.split(TransportChoice(transport) if transport is not None else None)
        return cls(
            endpoint=address,
            trust=Trust(_path(ca), _path(certificate), _path(key)),
            token=parse_token(token) if isinstance(token, str) else token,
            name=name,
            language=language,
            mechanism=Mechanism(mechanism),
            transport=chosen or TransportChoice.TLS,
        )

    @property
    def called(self) -> str:
        """What the user calls the server."""
        return self.profile or str(self.endpoint)


class Session(NamedTuple):
    """What the server answered to `HELLO`.

    Attributes:
        id: of the session, as admins see it; 0 where the server named none.
        user: the principal's name.
        role: `user`, `operator` or `admin`: what it may act as from where it is.
        server: the server's name and version.
        argument_bytes: what it takes in one argument.
        request_bytes: likewise, in all arguments of a request together.
        tells: it says what there is to say of what may be typed, `COMPLETE --told`.
        own_role: the role that it has, where it may not act in it from where it is; else empty.
    """

    id: int
    user: str
    role: str
    server: str
    argument_bytes: int = AUTHENTICATED.argument_bytes
    request_bytes: int = AUTHENTICATED.request_bytes
    tells: bool = False
    own_role: str = ""

    @classmethod
    def from_wire(cls, reply: object) -> Self:
        """Read the map; what is missing is empty, and a bound what it usually is."""
        fields = reply if isinstance(reply, dict) else {}
        number = fields.get("id")
        version = fields.get("server-version", fields.get("version", ""))  # the latter is Redis' for a newer server
        server = f"{fields.get('server', '')} {version}".strip()
        return cls(
            id=number if isinstance(number, int) else 0,
            user=printable(str(fields.get("user", ""))),
            role=printable(str(fields.get("user-role", ""))),
            server=printable(server),
            argument_bytes=_bytes(fields.get("argument-bytes"), AUTHENTICATED.argument_bytes),
            request_bytes=_bytes(fields.get("request-bytes"), AUTHENTICATED.request_bytes),
            tells=fields.get("completion") == "told",
            own_role=printable(str(fields.get("own-role", ""))),
        )


def _bytes(told: object, usual: int) -> int:
    return told if isinstance(told, int) and told > 0 else usual


def language_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the user's language as `pt_BR` or `en`; None where the locale names none.

    The first of LC_ALL, LC_MESSAGES and LANG that is set decides (POSIX.1-2017, section 8.2).
    """
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    found = _LOCALE.match(locale)
    return found[0] if found and locale.partition(".")[0] not in ("C", "POSIX") else None


def parse_token(text: str) -> Token:
    """Read a token, so that a typo or a cut paste is told before anything is sent.

    Raises:
        AuthenticationError: it cannot be one; the message never repeats it.
    """
    try:
        return Token.parse(text)
    except TokenFormatError as error:
        raise AuthenticationError(
            _("This is no token: {why}. Nothing was sent to the server.").format(why=_(str(error)))
        ) from None


def _path(path: Path | str | None) -> Path | None:
    return Path(path) if path is not None else None
