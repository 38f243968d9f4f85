"""One typed line: its words, and what the server says of its command."""

from __future__ import annotations

from dataclasses import dataclass

from secure_client.client import Client
from secure_client.errors import CommandFailed, SetupError
from secure_client.i18n import _
from secure_protocol.text_requests import split


@dataclass(frozen=True, slots=True)
class Line:
    """A line with a command on it.

    Attributes:
        text: as typed.
        words: the command's name and its arguments.
    """

    text: str
    words: tuple[bytes, ...]

    @classmethod
    def parse(cls, text: str) -> Line | None:
        """Split a line as the server splits one; None where there is no command on it.

        Raises:
            SetupError: a quote is not closed.
        """
        try:
            words = split(text.encode("utf-8", "surrogateescape"))
        except ValueError:
            raise SetupError(_("A quote is not closed, or text follows a closing quote at once.")) from None
        return cls(text.strip(), tuple(words)) if words else None

    @property
    def names(self) -> list[str]:
        """The words that may name the command."""
        return [word.decode("utf-8", "replace") for word in self.words[:2]]


def learn(client: Client) -> None:
    """Have the server's descriptions; a server without any is shown in the plainest form.

    Raises:
        ClientError: there is no connection.
    """
    try:
        client.commands()
    except CommandFailed:
        return
