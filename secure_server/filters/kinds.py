"""What the value of a field is, and how it is compared with what somebody wants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from secure_server.config.quantities import Duration, Size
from secure_server.i18n import N_
from secure_server.moments import moment

EQUAL, UNEQUAL, LESS, MORE, HOLDS, AMONG = "=", "!=", "<", ">", "~", "in"

Network = IPv4Network | IPv6Network


class Kind(ABC):
    """A kind of values.

    Attributes:
        operators: those that mean something here.
        takes: what is said of a value that it does not take, about `{field}`.
    """

    operators: tuple[str, ...] = (EQUAL, UNEQUAL, HOLDS, AMONG)
    takes: str

    @abstractmethod
    def read(self, text: str) -> object:
        """Read what is wanted.

        Raises:
            ValueError: it is nothing of this kind.
        """

    @abstractmethod
    def same(self, value: object, wanted: object) -> bool:
        """Say whether a value is what is wanted."""

    def holds(self, operator: str, value: object, wanted: tuple[object, ...]) -> bool:
        """Say whether a condition is met.

        Args:
            operator: one of `operators`.
            value: of the field; None where there is none, which is unlike anything.
            wanted: as `read`; several for `in`.
        """
        if value is None:
            return operator == UNEQUAL
        if operator in (EQUAL, AMONG):
            return any(self.same(value, one) for one in wanted)
        if operator == UNEQUAL:
            return not self.same(value, wanted[0])
        if operator == HOLDS:
            return str(wanted[0]).casefold() in str(value).casefold()
        assert isinstance(value, int | float)  # noqa: S101 - of a kind with an order
        assert isinstance(wanted[0], int | float)  # noqa: S101 - likewise
        return value < wanted[0] if operator == LESS else value > wanted[0]

    def shown(self, value: object) -> object:
        """Return a value as a list has it; never None."""
        return value

    def rank(self, value: object) -> object:
        """Return what stands for a value where a list is sorted, and compares with that of any other; never None."""
        return str(value).casefold()


class Text(Kind):
    """A word, by each letter; of `~`, a part of it in any case."""

    takes = N_("Filter {field} takes a word, such as {field}=web.")

    def read(self, text: str) -> str:
        """Take what is not empty: that would mean all those that have no such thing."""
        if not text:
            raise ValueError(text)
        return text

    def same(self, value: object, wanted: object) -> bool:
        """Compare each letter."""
        return value == wanted


class Word(Text):
    """One of a few words, in any case.

    Args:
        choices: all there are, lower case.
    """

    takes = N_("Filter {field} takes one of {choices}.")

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def read(self, text: str) -> str:
        """Read one of them."""
        if text.lower() not in self.choices:
            raise ValueError(text)
        return text.lower()

    def rank(self, value: object) -> object:
        """As the choices are in order: roles go up."""
        return self.choices.index(value) if value in self.choices else len(self.choices)


class Name(Text):
    """The name of a command, in any case."""

    def read(self, text: str) -> str:
        """As they are kept, upper case."""
        return super().read(text).upper()


class Count(Kind):
    """A whole number."""

    operators: tuple[str, ...] = (EQUAL, UNEQUAL, LESS, MORE, AMONG)
    takes = N_("Filter {field} takes a whole number, such as {field}>10.")

    def read(self, text: str) -> float:
        """Read digits alone."""
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ValueError(text)
        return int(text)

    def same(self, value: object, wanted: object) -> bool:
        """Compare the numbers; a fraction of one makes no difference."""
        assert isinstance(value, int | float)  # noqa: S101 - as of `read`
        assert isinstance(wanted, int | float)  # noqa: S101 - likewise
        return int(value) == int(wanted)

    def shown(self, value: object) -> object:
        """Return a whole number."""
        assert isinstance(value, int | float)  # noqa: S101 - as of `read`
        return int(value)

    def rank(self, value: object) -> object:
        """Return the number."""
        return value


class Bytes(Count):
    """A size."""

    takes = N_("Filter {field} takes a size, such as {field}>10MB.")

    def read(self, text: str) -> float:
        """Read a size with its unit, or bytes."""
        return Size.parse(text)


class Seconds(Count):
    """A duration."""

    takes = N_("Filter {field} takes a duration, such as {field}>90s, {field}>5m or {field}>2h.")

    def read(self, text: str) -> float:
        """Read a duration with its unit, or seconds."""
        return Duration.parse(text)


class Moment(Count):
    """A date and time, Unix seconds."""

    operators = (EQUAL, UNEQUAL, LESS, MORE)
    takes = N_("Filter {field} takes a date and time, such as {field}>2026-11-25 or {field}<2026-11-25T14:30.")

    def read(self, text: str) -> float:
        """Read ISO 8601; without an offset it is the server's local time."""
        try:
            return datetime.fromisoformat(text).timestamp()
        except OverflowError:  # a year that no clock has
            raise ValueError(text) from None

    def shown(self, value: object) -> object:
        """Return ISO 8601 in the server's zone, to the second."""
        assert isinstance(value, int | float)  # noqa: S101 - as of `read`
        return moment(value)


class Address(Kind):
    """A host, with its port or without, or a network that it is in."""

    takes = N_("Filter {field} takes an address or a network, such as {field}=192.0.2.7 or {field}=10.0.0.0/8.")

    def read(self, text: str) -> Network | str:
        """Read a network; what is none is an address with its port, or the name of a kind of socket."""
        if not text:
            raise ValueError(text)
        try:
            return ip_network(text.strip("[]"), strict=False)
        except ValueError:
            if "/" in text:
                raise
            return text

    def same(self, value: object, wanted: object) -> bool:
        """Compare a whole address, or look whether its host is in a network."""
        if isinstance(wanted, str):
            return value == wanted
        assert isinstance(wanted, IPv4Network | IPv6Network)  # noqa: S101 - as of `read`
        try:
            host = ip_address(host_of(str(value)))
        except ValueError:  # a Unix socket
            return False
        return host in wanted

    def rank(self, value: object) -> object:
        """Return the address as a number, and the port: 9 before 10, version 4 before 6, other sockets behind both."""
        text = str(value)
        host, _, port = text.rpartition(":")
        bare = host_of(text)
        try:
            found = ip_address(bare)
        except ValueError:
            return (9, 0, 0, text)
        return (found.version, int(found), int(port) if host and port.isdigit() else 0, "")


def host_of(address: str) -> str:
    """Return the host of `192.0.2.7:40312` or `[2001:db8::7]:40312`."""
    return address.rpartition(":")[0].strip("[]") if ":" in address else address
