"""Where a server is: a host and a port, or a Unix socket."""

import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_protocol.hostname import ascii_host
from secure_protocol.printable import printable
from secure_protocol.token import PREFIX

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5000
UNIX_PREFIX = "unix:"
QUIC_PREFIX = "scs+quic://"

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::([^:]*))?")
_HOST = re.compile(r"[^\s:/@\[\]\x00-\x20\x7f]{1,253}")


class TransportChoice(StrEnum):
    """By what to connect."""

    TLS = "tls"
    """TLS over TCP."""
    QUIC = "quic"
    """QUIC, over UDP: the session survives a change of network."""
    AUTO = "auto"
    """Whichever is there first."""


class Endpoint(NamedTuple):
    """A server's address.

    Attributes:
        host: a name or an address, without brackets.
        port: of TCP, or of UDP.
        path: of a Unix socket; host and port are of no meaning then.
        transport: by what to connect, where it is written with the address; None: that is said elsewhere, or not.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    path: Path | None = None
    transport: TransportChoice | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, `HOST`, `[::1]:5000`, `::1` or `unix:PATH`; any but the last also after `scs+quic://`.

        Raises:
            SetupError: it is none of these.
        """
        if text.startswith(f"{PREFIX}_"):  # as a name it would be asked of the DNS, for everybody on the way to read
            raise SetupError(
                _(
                    "That looks like a token, not like a server, and was not used. Others may have seen it in this "
                    "command or find it in the shell's history: have it replaced."
                )
            )
        if text.startswith(QUIC_PREFIX):
            return cls._over_quic(text.removeprefix(QUIC_PREFIX))
        if text.startswith(UNIX_PREFIX):
            return cls._of_path(text.removeprefix(UNIX_PREFIX))
        if match := _BRACKETED.fullmatch(text):
            return cls(_address(match[1], text), _port(match[2], text))
        if text.count(":") > 1:
            return cls(_address(text, text))
        host, colon, port = text.partition(":")
        if not _is_name(host):
            sentence = _("`{text}` is no address: write HOST:PORT, such as localhost:5000.")
            raise SetupError(sentence.format(text=printable(text)))
        return cls(host, _port(port if colon else None, text))

    @property
    def dns_name(self) -> str:
        """The host as it is asked for and as its certificate names it."""
        return ascii_host(self.host)

    @classmethod
    def _of_path(cls, path: str) -> Self:
        if not path:
            raise SetupError(_("`unix:` needs the path of a socket: write unix:PATH."))
        return cls(path=Path(path))

    @classmethod
    def _over_quic(cls, text: str) -> Self:
        endpoint = cls.parse(text)
        if endpoint.path is not None or endpoint.transport is not None:
            sentence = _("`{text}` is no address: write scs+quic://HOST:PORT.")
            raise SetupError(sentence.format(text=printable(f"{QUIC_PREFIX}{text}")))
        return endpoint._replace(transport=TransportChoice.QUIC)

    def split(self, said: TransportChoice | None) -> tuple[Self, TransportChoice | None]:
        """Return the address alone, and by what to connect to it; None where nothing says that.

        Args:
            said: what an option or an argument said.

        Raises:
            SetupError: the two contradict one another, or it is a Unix socket, which has no QUIC.
        """
        if self.path is not None and said is TransportChoice.QUIC:
            sentence = _("{endpoint} is a socket of this machine, which has no QUIC: leave that out.")
            raise SetupError(sentence.format(endpoint=self))
        if said is not None and self.transport not in (None, said):
            sentence = _("`{endpoint}` and the transport `{said}` contradict one another: leave one of them out.")
            raise SetupError(sentence.format(endpoint=self, said=said))
        return self._replace(transport=None), said or self.transport

    def __str__(self) -> str:
        if self.path is not None:
            return f"{UNIX_PREFIX}{self.path}"
        written = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{QUIC_PREFIX}{written}" if self.transport is TransportChoice.QUIC else written


def _is_name(host: str) -> bool:
    try:
        return _HOST.fullmatch(host) is not None and bool(ascii_host(host))
    except UnicodeError:
        return False


def _address(text: str, whole: str) -> str:
    import ipaddress  # noqa: PLC0415 - most servers have a name, or an address of IPv4

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        sentence = _("`{text}` is no address: an IPv6 address is written as [::1]:5000.")
        raise SetupError(sentence.format(text=printable(whole))) from None
    return text


def _port(text: str | None, whole: str) -> int:
    if text is None:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        sentence = _("`{text}` has no port from 1 to 65535 after the colon, such as localhost:5000.")
        raise SetupError(sentence.format(text=printable(whole)))
    return int(text)
