"""One typed line: its words, and what the server says of its command."""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from secure_client.catalogue import Catalogue
from secure_client.client import Client
from secure_client.core.call import ANSWER_TIMEOUT
from secure_client.errors import CommandFailed, SetupError
from secure_client.i18n import _
from secure_client.typed.arguments import call_of, is_reference
from secure_protocol.errors import ErrorCode
from secure_protocol.text_requests import quote, split

HIDDEN = "***"
"""Shown in place of an argument that is a secret."""
_TYPED_WORD = r"""(?xs)
    (?: "(?:[^"\\]|\\.)*+ (?:"|\\?$)
      | '(?:[^'\\]|\\'|\\(?!'))*+ (?:'|$)
      | [^ \t\n\r\v\f"'][^ \t\n\r"']*+
    )++
"""
"""As `split` parts them, with their quotes, of which the last may be open still."""
NOTHING_TO_TELL = (ErrorCode.ERR, ErrorCode.NOPERM)
"""With these a server says that it has no such thing, or none for this user. Other errors are of the moment: what comes
next may be let through, and must not go without the question that it would have been asked about."""


class Line(NamedTuple):
    """A line with a command on it.

    Attributes:
        text: as typed, or as it may be shown.
        words: the command's name and its arguments.
    """

    text: str
    words: tuple[bytes, ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Split a line as the server splits one; None where there is no command on it.

        Raises:
            SetupError: a quote is not closed.
        """
        try:
            words = split(_encoded(text))
        except ValueError:
            raise SetupError(_("A quote is not closed, or text follows a closing quote at once.")) from None
        return cls(text.strip(), tuple(words)) if words else None

    @property
    def names(self) -> list[str]:
        """The words that may name the command."""
        return [word.decode("utf-8", "replace") for word in self.words[:2]]

    def without_secrets(self, catalogue: Catalogue) -> Self:
        """Return it with a text that may be shown: arguments that are secrets are stars in it."""
        call = call_of(catalogue, self.words)
        hidden = {item.at: item.prefix for item in call.given if item.argument.secret} if call is not None else {}
        if not hidden:
            return self
        shown = [
            hidden[index].decode("utf-8", "replace") + HIDDEN
            if index in hidden
            else quote(word.decode("utf-8", "surrogateescape"))
            for index, word in enumerate(self.words)
        ]
        return self._replace(text=" ".join(shown))


def holds_secret(catalogue: Catalogue, text: str) -> bool:
    """Say whether a line may hold an argument that is a secret, so that it is kept nowhere.

    It may already where its command takes one: a word that was left out moves all others to a wrong place. Only one
    that names a file in each of their places holds none, and one of numbers where numbers belong, if none has to follow
    (`JOB RERUN 7`). Nothing is known before the server has told its commands.
    """
    if not catalogue:
        return True
    try:
        words = split(_encoded(text))
    except ValueError:
        words = _encoded(text).split()
    call = call_of(catalogue, words)
    secret = [argument for argument in call.description.arguments if argument.secret] if call is not None else []
    if call is None or not secret:
        return False
    if given := [item for item in call.given if item.argument.secret]:
        return not all(map(is_reference, given))
    numbers = sum(item.argument.type == "int" and item.value.isdigit() for item in call.given)
    whole = all(argument.optional for argument in secret) and numbers == len(words) - call.start
    return len(words) > call.start and not whole


def typed_words(text: str) -> Iterator[tuple[int, int, bytes]]:
    """Yield each word of a line, which may be unfinished: where it begins and ends, and what it means."""
    for found in re.finditer(_TYPED_WORD, text):
        yield found.start(), found.end(), _value(found[0])


def secret_spans(catalogue: Catalogue, text: str) -> list[tuple[int, int]]:
    """Return from where to where in a line, which may be unfinished, secrets stand that are typed out."""
    found = list(re.finditer(_TYPED_WORD, text))
    call = call_of(catalogue, [_value(word[0]) for word in found])
    spans = []
    for given in call.given if call is not None else ():
        if given.argument.secret and not is_reference(given):
            word, prefix = found[given.at], given.prefix.decode("utf-8", "surrogateescape")
            shown = len(prefix) if word[0].startswith(prefix) else 0
            spans.append((word.start() + shown, word.end()))
    return spans


def _value(typed: str) -> bytes:
    """Return what a word means; of one that is not finished, as it would be with its quote closed."""
    for closing in ("", '"', "'"):
        try:
            return b"".join(split(_encoded(typed + closing)))
        except ValueError:
            continue
    return _encoded(typed)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def learn(client: Client, timeout: float = ANSWER_TIMEOUT) -> None:
    """Have the server's descriptions; what a server without any answers is shown in the plainest form.

    Args:
        client: connected, or soon.
        timeout: seconds.

    Raises:
        ClientError: there is no connection, or it does not tell them now.
    """
    try:
        client.commands(timeout)
    except CommandFailed as error:
        if error.code not in NOTHING_TO_TELL:
            raise
