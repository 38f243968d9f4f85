"""One argument of a command: how it is called, what it may be, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from secure_protocol.description import ArgumentDescription
from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_server.commands.conversion import EXAMPLES, Convert
from secure_server.commands.pattern import Matches, matcher
from secure_server.config.quantities import Duration
from secure_server.i18n import Translate

SHOWN_CHARACTERS = 60
"""How much of a wrong argument an error repeats."""
MASK = "***"
"""What an error says instead of a secret."""
ARGUMENT_BYTES = 4096
"""The longest argument that is text, unless it is declared to be longer: commands take names, not files. What is longer
is refused before anything reads it, for that happens on the I/O thread."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a type cannot say of an argument: `lines: Annotated[int, Argument("how many", minimum=1)] = 10`.

    Attributes:
        summary: a sentence, or empty.
        minimum: the lowest number allowed; of a duration in seconds.
        maximum: the highest, likewise.
        pattern: a regular expression that the whole argument must match, as RE2 reads it; see
            `secure_server.commands.pattern`.
        longest: bytes; None for 4096, or for what is `bytes` and has no pattern, as long as the server takes any.
        secret: no log, no audit trail and no error shows it; clients keep it in no history and show it in no question.
        file: it may be as long as a file; the bundled client replaces `@path` by what stands there.
        body: data, such as a file: of it the audit trail keeps size and hash.
    """

    summary: str = ""
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    longest: int | None = None
    secret: bool = False
    file: bool = False
    body: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument.

    Attributes:
        name: as in the Python signature.
        type: as told to clients.
        convert: from what the peer sent; raises ValueError.
        choices: the only values allowed, or empty.
        required: must be given; of a variadic one, at least once.
        variadic: takes all that follow.
        flag: `--name value`, or `--name` for a bool.
        default: what is so where it is left out, as a peer would write it; empty where there is nothing to say.
        more: what the type cannot say.
        longest: bytes; None where only the server's own limits hold.

    Raises:
        PatternError: its pattern cannot be used.
    """

    name: str
    type: str
    convert: Convert
    choices: tuple[str, ...] = ()
    required: bool = True
    variadic: bool = False
    flag: bool = False
    default: str = ""
    more: Argument = Argument()
    longest: int | None = field(init=False)
    _matches: Matches | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        more = self.more
        whole = self.type == "bytes" and not more.pattern
        longest = more.longest if more.longest is not None or whole else ARGUMENT_BYTES
        object.__setattr__(self, "longest", longest)
        object.__setattr__(self, "_matches", matcher(more.pattern) if more.pattern else None)

    @property
    def raw(self) -> bool:
        """Whether whatever a peer sends is as it should be."""
        return self.type == "bytes" and self._matches is None and self.longest is None

    @property
    def shown(self) -> str:
        """The name as people read it; one that is a word of Python, such as `for`, ends there in a `_`."""
        return self.name.rstrip("_").replace("_", "-")

    def describe(self, translate: Translate) -> ArgumentDescription:
        """Return it as clients read it."""
        more = self.more
        return ArgumentDescription(
            name=self.shown,
            type=self.type,
            choices=self.choices,
            optional=not self.required,
            variadic=self.variadic,
            flag=self.flag,
            summary=translate(more.summary) if more.summary else "",
            default="" if more.secret else self.default,
            minimum=more.minimum,
            maximum=more.maximum,
            pattern=more.pattern,
            secret=more.secret,
            file=more.file,
        )

    def quoted(self, argument: str | bytes) -> str:
        """Return an argument as an error may show it."""
        return MASK if self.more.secret else printable(argument, SHOWN_CHARACTERS)

    def read(self, argument: bytes) -> object:
        """Convert one argument.

        Raises:
            CommandError: it cannot be; names the argument, what was given and what is allowed.
        """
        if self.longest is not None and len(argument) > self.longest:  # before anything looks into it
            raise CommandError(
                "Argument {name}: {given} is longer than {limit} bytes.",
                name=self.shown,
                given=self.quoted(argument),
                limit=self.longest,
            )
        try:
            value = self.convert(argument)
        except ValueError:
            raise self._invalid(argument) from None
        if self._matches is not None and not self._matches(argument):
            raise CommandError(
                "Argument {name}: {given} does not match {pattern}.",
                name=self.shown,
                given=self.quoted(argument),
                pattern=self.more.pattern,
            )
        size = value.total_seconds() if isinstance(value, timedelta) else value
        if isinstance(size, int | float):
            self._check_bounds(argument, size)
        return value

    def defaults(self) -> tuple[object, ...]:
        """Return what is so where it is left out: nothing, or one value; its text where no peer may send that."""
        if not self.default:
            return ()
        try:
            return (self.read(self.default.encode()),)
        except CommandError:
            return (self.default,)

    def _check_bounds(self, argument: bytes, size: float) -> None:
        low, high = self.more.minimum, self.more.maximum
        if (low is None or size >= low) and (high is None or size <= high):
            return
        name, given = self.shown, self.quoted(argument)
        least, most = self._bound(low), self._bound(high)
        if low is None:
            raise CommandError("Argument {name}: {given} is more than {maximum}.", name=name, given=given, maximum=most)
        if high is None:
            raise CommandError(
                "Argument {name}: {given} is less than {minimum}.", name=name, given=given, minimum=least
            )
        raise CommandError(
            "Argument {name}: {given} is not between {minimum} and {maximum}.",
            name=name,
            given=given,
            minimum=least,
            maximum=most,
        )

    def _bound(self, bound: float | None) -> str:
        return str(Duration(bound)) if self.type == "duration" and bound is not None else str(bound)

    def _invalid(self, argument: bytes) -> CommandError:
        name, given = self.shown, self.quoted(argument)
        if self.choices:
            return CommandError(
                "Argument {name}: {given} is not one of {choices}.",
                name=name,
                given=given,
                choices=", ".join(self.choices),
            )
        if self.type in EXAMPLES:
            return CommandError(
                "Argument {name}: {given} is not a valid {type}; write {example}.",
                name=name,
                given=given,
                type=self.type,
                example=EXAMPLES[self.type],
            )
        return CommandError("Argument {name}: {given} is not a valid {type}.", name=name, given=given, type=self.type)
