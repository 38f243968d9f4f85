"""A Python signature is a command's syntax: what it takes, what it refuses in which words, and what it cannot be."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import pytest

from secure_protocol.errors import CommandError
from secure_server.commands import Argument, Context, ReplyKind, Role, Table, Timestamp, command
from secure_server.commands.command import Command
from secure_server.commands.conversion import written
from secure_server.commands.parameter import Parameter
from secure_server.commands.signature import Signature, SignatureError


class Colour(enum.Enum):
    """Members whose values are words."""

    RED = "red"
    GREEN = "dark green"


class Level(enum.IntEnum):
    """Members whose values are none."""

    LOW = 1
    HIGH = 2


def everything(
    context: Context,
    text: str,
    raw: bytes,
    count: Annotated[int, Argument("how many", minimum=1, maximum=9)],
    share: Annotated[float | None, Argument(minimum=0)] = None,
    colour: Colour = Colour.GREEN,
    *rest: Literal["web", "worker", 7],
    since: datetime | None = None,
    wait: Annotated[timedelta, Argument(maximum=3600)] = timedelta(minutes=5),
    level: Level = Level.LOW,
    force: bool = False,
    loud: bool = True,
    name: Annotated[str, Argument(pattern="[a-z]+")] = "x",
) -> None:
    """Take one of each."""


def bound(handler: Callable[..., object], *words: str) -> tuple[list[object], dict[str, object]]:
    """What the handler would be called with."""
    return Signature(handler).bind("X", [word.encode() for word in words])


SYNTAX = (
    "X text raw count [share] [red|dark green] [web|worker|7 …] [--since since] [--wait wait] [--level low|high] "
    "[--force] [--loud] [--name name]"
)


def refused(*words: str) -> str:
    """What is said of a call of `everything`."""
    with pytest.raises(CommandError) as caught:
        bound(everything, *words)
    return caught.value.sentence()


def only(handler: Callable[..., object]) -> Command:
    """The command that the decorator made of a function."""
    (made,) = handler.__command__  # type: ignore[attr-defined] # set by the decorator
    assert isinstance(made, Command)
    return made


def test_each_type_is_converted() -> None:
    """What a peer writes arrives as what the signature says."""
    words = (
        "é",
        "raw",
        "9",
        "0.5",
        "RED",
        "WEB",
        "7",
        "--force",
        "--loud=no",
        "--level",
        "high",
        "--wait=90s",
        "--name=b",
    )
    values, flags = bound(everything, *words, "--since", "2026-01-31T12:00:00+00:00")
    assert values == ["é", b"raw", 9, 0.5, Colour.RED, "web", 7]
    assert flags == {
        "force": True,
        "loud": False,
        "level": Level.HIGH,
        "wait": timedelta(seconds=90),
        "name": "b",
        "since": datetime(2026, 1, 31, 12, tzinfo=UTC),
    }


def test_what_may_be_left_out_may_be() -> None:
    """Then the function's own defaults hold; `--` ends the flags."""
    assert bound(everything, "a", "b", "1") == (["a", b"b", 1], {})
    assert bound(everything, "--", "--a", "b", "1") == (["--a", b"b", 1], {})


def test_a_moment_without_an_offset_is_in_the_servers_zone() -> None:
    """It always arrives with one."""
    _, flags = bound(everything, "a", "b", "1", "--since=2026-01-31")
    moment = flags["since"]
    assert isinstance(moment, datetime)
    assert moment.tzinfo is not None
    assert moment.replace(tzinfo=None) == datetime(2026, 1, 31)  # noqa: DTZ001 - as it was written


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("a", "b", "x"), "Argument count: x is not a valid int."),
        (("a", "b", "1_0"), "Argument count: 1_0 is not a valid int."),
        (("a", "b", " 1"), "Argument count:  1 is not a valid int."),
        (("a", "b", "0"), "Argument count: 0 is not between 1 and 9."),
        (("a", "b", "9" * 21), f"Argument count: {'9' * 21} is not a valid int."),
        (("a", "b", "1", "nan"), "Argument share: nan is not a valid float."),
        (("a", "b", "1", "1 "), "Argument share: 1  is not a valid float."),
        (("a", "b", "1", "-1"), "Argument share: -1 is less than 0."),
        (("a", "b", "1", "1", "blue"), "Argument colour: blue is not one of red, dark green."),
        (("a", "b", "1", "1", "red", "x"), "Argument rest: x is not one of web, worker, 7."),
        (("a", "b", "1", "--wait=soon"), "Argument wait: soon is not a valid duration; write 90s, 5m, 1h."),
        (
            ("a", "b", "1", "--wait=999999999999d"),
            "Argument wait: 999999999999d is not a valid duration; write 90s, 5m, 1h.",
        ),
        (("a", "b", "1", "--wait=2h"), "Argument wait: 2h is more than 1h."),
        (
            ("a", "b", "1", "--since=now"),
            "Argument since: now is not a valid datetime; write 2026-01-31T12:00:00+00:00.",
        ),
        (("a", "b", "1", "--loud=perhaps"), "Argument loud: perhaps is not a valid bool; write yes, no."),
        (("a", "b", "1", "--name=a1"), "Argument name: a1 does not match [a-z]+."),
        (("a", "b", "1", "--name"), "Option --name needs a value."),
        (
            ("a", "b", "1", "--nmae=a"),
            "Unknown option --nmae; allowed are --force, --level, --loud, --name, --since, --wait.",
        ),
        (
            ("a", "b"),
            f"wrong number of arguments for 'x' command: count is missing; write {SYNTAX}",
        ),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_explained(words: tuple[str, ...], sentence: str) -> None:
    """Which, what was given, and what is allowed."""
    assert refused(*words) == sentence


def test_the_ends_of_the_calendar_are_refused() -> None:
    """A moment that no zone can hold is none."""
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert "is not a valid datetime" in refused("a", "b", "1", f"--since={moment}")


def test_a_description_says_all_of_it() -> None:
    """Types, choices, defaults, bounds, patterns and sentences reach the client."""
    found = {item.name: item.describe(str) for item in Signature(everything).parameters}
    assert found["count"].summary == "how many"
    assert (found["count"].minimum, found["count"].maximum) == (1, 9)
    assert (found["colour"].choices, found["colour"].default) == (("red", "dark green"), "dark green")
    assert (found["rest"].choices, found["rest"].variadic) == (("web", "worker", "7"), True)
    assert (found["wait"].type, found["wait"].default, found["wait"].maximum) == ("duration", "5m", 3600)
    assert (found["since"].type, found["since"].default, found["since"].flag) == ("datetime", "", True)
    assert (found["level"].choices, found["level"].default) == (("low", "high"), "low")
    assert (found["force"].default, found["loud"].default) == ("", "yes")
    assert (found["name"].pattern, found["name"].default) == ("[a-z]+", "x")


def test_defaults_are_shown_as_a_peer_would_write_them() -> None:
    """Also those of the rarer types."""
    assert written(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00+00:00"
    assert written(b"\xff") == "\\xff"
    assert written(2.5) == "2.5"


def test_choices_that_differ_in_case_alone_are_told_apart() -> None:
    """Otherwise case does not matter."""

    def handler(context: Context, one: Literal["a", "A", "b"]) -> None: ...

    assert bound(handler, "A") == (["A"], {})
    assert bound(handler, "a") == (["a"], {})
    with pytest.raises(CommandError, match="is not one of a, A, b"):
        bound(handler, "B")


def _no_context() -> None: ...
def _context_last(*context: Context) -> None: ...
def _untyped(context: Context, x) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001 - that is the mistake
def _listed(context: Context, x: list[str]) -> None: ...
def _two_types(context: Context, x: str | int) -> None: ...
def _in_bytes(context: Context, x: Literal[b"a"]) -> None: ...
def _unhashable(context: Context, x: Annotated[Literal[[1]], 1]) -> None: ...  # type: ignore[valid-type] # likewise
def _bag(context: Context, **x: str) -> None: ...
def _bare_option(context: Context, *, x: str) -> None: ...
def _unknown_name(context: Context, x: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821 - likewise
def _text_bounds(context: Context, x: Annotated[str, Argument(minimum=1)]) -> None: ...
def _crossed(context: Context, x: Annotated[int, Argument(minimum=2, maximum=1)]) -> None: ...
def _nothing_fits(context: Context, x: Annotated[str, Argument(longest=0)]) -> None: ...
def _no_pattern(context: Context, x: Annotated[str, Argument(pattern="(")]) -> None: ...


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (_no_context, "_no_context: a handler's first parameter is the context"),
        (_context_last, "_context_last: a handler's first parameter is the context"),
        (_untyped, "_untyped: parameter x needs a type that an argument can have"),
        (_listed, "_listed: no argument can be list[str] (parameter x)"),
        (_two_types, "_two_types: no argument can be str | int (parameter x)"),
        (_in_bytes, "_in_bytes: no argument can be typing.Literal[b'a'] (parameter x)"),
        (_unhashable, "_unhashable: no argument can be typing.Literal[[1]] (parameter x)"),
        (_bag, "_bag: parameter x needs a type that an argument can have"),
        (_bare_option, "_bare_option: the option x needs a default: it may be left out"),
        (_unknown_name, "_unknown_name: its types cannot be read: name 'Missing' is not defined"),
        (_text_bounds, "_text_bounds: parameter x: only an int, a float or a duration has bounds, and it is a str"),
        (_crossed, "_crossed: parameter x: its minimum 2 is more than its maximum 1"),
        (
            _no_pattern,
            (
                "_no_pattern: parameter x: its pattern '(' is none that RE2 takes, which has no look-around and no "
                "back-references: missing ): (; see https://github.com/google/re2/wiki/Syntax"
            ),
        ),
        (_nothing_fits, "_nothing_fits: parameter x: the longest argument has 0 bytes, so that none fits"),
    ],
)
def test_a_signature_that_cannot_be_a_commands_is_refused(handler: Callable[..., object], sentence: str) -> None:
    """At start, with the function and the parameter."""
    with pytest.raises(SignatureError) as caught:
        Signature(handler)
    assert str(caught.value) == sentence


def test_what_is_described_must_be_there() -> None:
    """A sentence for a parameter that there is not is a typing error."""
    with pytest.raises(SignatureError, match="there is no parameter cuont to describe"):
        Signature(everything, {"cuont": "how many"})


def test_it_is_clear_which_argument_is_which() -> None:
    """Nothing follows what takes all, and what may be left out is not followed by what must be there."""
    rest = Parameter("rest", "str", bytes.decode, variadic=True)
    maybe = Parameter("maybe", "str", bytes.decode, required=False)
    must = Parameter("must", "str", bytes.decode)
    with pytest.raises(SignatureError, match="rest takes all that follow, so must must stand before it"):
        Signature.of([rest, must])
    with pytest.raises(SignatureError, match="must is required, so maybe before it cannot be left out"):
        Signature.of([maybe, must])
    with pytest.raises(CommandError, match="wrong number"):
        Signature.of([rest]).bind("X", [])


def rows(_context: Context) -> Table:
    """A table."""
    return Table(("n",), [])


def now(_context: Context) -> Timestamp:
    """A moment."""
    return Timestamp(0, 0)


def parts(_context: Context) -> Iterator[str]:
    """What another function yields."""
    return iter(())


def words(_context: Context) -> str:
    """Text."""
    return ""


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (rows, ReplyKind.TABLE),
        (now, ReplyKind.TIMESTAMP),
        (parts, ReplyKind.STREAM),
        (words, ReplyKind.TEXT),
        (lambda _context: None, ReplyKind.TEXT),
    ],
)
def test_what_a_function_returns_is_how_it_is_shown(handler: Callable[..., object], kind: ReplyKind) -> None:
    """Nobody says twice that it is a table; what is said holds all the same."""
    made: Command = command("X")(handler).__command__[-1]  # type: ignore[attr-defined] # left there by the decorator
    assert made.reply is kind
    said: Command = command("X", reply=ReplyKind.LINES)(handler).__command__[-1]  # type: ignore[attr-defined] # likewise
    assert said.reply is ReplyKind.LINES


def test_the_decorator_reads_what_it_is_not_told() -> None:
    """The summary is the docstring's first line, a generator streams, a role may be a word."""

    @command("restart", role="operator")
    def restart(context: Context, service: Literal["web", "worker"], *, force: bool = False) -> Iterator[str]:
        """Restart a service.

        More about that.
        """
        yield service

    made = only(restart)
    assert (made.name, made.summary, made.role, made.reply) == (
        "RESTART", "Restart a service.", Role.OPERATOR, ReplyKind.STREAM,
    )  # fmt: skip
    assert made.describe(str).syntax == "RESTART web|worker [--force]"


@pytest.mark.parametrize("name", ["", "9A", "A B C", "A  B", "Ä", "A\n", "A;B", " A", "A" * 65])
def test_a_name_is_one_or_two_words(name: str) -> None:
    """Another could not be typed, or would break a log line."""
    with pytest.raises(SignatureError, match="is no name for a command"):
        command(name)(lambda _context: None)


def test_what_a_handler_cannot_be() -> None:
    """Neither async, nor a generator that runs inline, nor of a role that nobody has."""

    async def waits(context: Context) -> None: ...

    def streams(context: Context) -> Iterator[str]:
        yield ""

    with pytest.raises(SignatureError, match="cannot be async"):
        command("X")(waits)
    with pytest.raises(SignatureError, match="cannot run inline"):
        command("X", inline=True)(streams)
    for role in ("root", "nobody"):
        with pytest.raises(SignatureError, match=f"its role '{role}' is none of user, operator, admin"):
            command("X", role=role)(lambda _context: None)  # type: ignore[arg-type] # that is the mistake


def test_a_bound_on_one_side() -> None:
    """The sentence names the one there is."""

    def most(context: Context, n: Annotated[int, Argument(maximum=5)]) -> None: ...

    def least(context: Context, n: Annotated[float, Argument(minimum=0.5)]) -> None: ...

    assert bound(most, "-9") == ([-9], {})
    assert bound(least, "0.5") == ([0.5], {})
    with pytest.raises(CommandError, match=r"Argument n: 6 is more than 5\."):
        bound(most, "6")
    with pytest.raises(CommandError, match=r"Argument n: 0.4 is less than 0.5\."):
        bound(least, "0.4")


@pytest.mark.parametrize("timeout", ["10s", math.nan, math.inf, 0, -1, True, 7 * 86400 + 1])
def test_a_timeout_that_is_none_stops_the_start(timeout: float) -> None:
    """Not the first request; and a timer that is no number would mislead all others."""
    with pytest.raises(SignatureError, match=r"its timeout .* is no number of seconds above 0"):

        @command("SLOW", timeout=timeout)
        def slow(_context: Context) -> None:
            """Take long."""


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        *(({name: 5}, "a str") for name in ("summary", "form", "empty", "unmatched", "pages", "lock", "confirm")),
        ({"summary": None}, "a str"),
        *(
            ({name: wrong}, "True or False")
            for name in (
                *("inline", "idempotent", "secret", "audit", "hidden", "urgent", "unlimited", "about_session"),
                *("job", "internal", "danger"),
            )
            for wrong in ("no", 1)
        ),
        *(({"reply": wrong}, "one of text, timestamp, lines, table, stream") for wrong in ("tabel", 5, [5])),
        *(
            ({name: wrong}, "a tuple of str")
            for name in ("columns", "minor", "notify")
            for wrong in [5, "id", ("id", 5), None]
        ),
        *(({"max_running": wrong}, "a whole number above 0, nor None") for wrong in [0, -1, True, 1.0, "1"]),
        *(({"when_busy": wrong}, "one of refuse, queue, attach") for wrong in ["wait", None, ["queue"]]),
        *(({"on_revoked": wrong}, "one of stop, go-on") for wrong in ["go", None, 5]),
        *(({"arguments": wrong}, "a dict of str by the names of") for wrong in (5, {"a": 5}, {5: "a"}, ["a"])),
        *(({"complete": wrong}, "a dict of functions by the names of") for wrong in (5, {"a": 5}, {5: print}, ["a"])),
    ],
)
def test_an_option_of_a_wrong_type_stops_the_start(option: dict[str, object], allowed: str) -> None:
    """Else all who list the commands would meet it, or the first who runs it, or nobody would know."""

    def restart(context: Context, a: str) -> None: ...

    [(name, wrong)] = option.items()
    with pytest.raises(SignatureError) as caught:
        command("RESTART", **option)(restart)  # type: ignore[arg-type] # that is the mistake
    assert f"restart: its {name} {wrong!r} is not {allowed}" in str(caught.value)


def test_a_name_that_is_no_text_stops_the_start() -> None:
    """As any other option does."""
    with pytest.raises(SignatureError, match="its name 5 is not a str"):
        command(5)(lambda _context: None)  # type: ignore[arg-type] # that is the mistake


def test_options_by_their_names() -> None:
    """A kind of reply as a word, as roles are; columns in a list."""

    @command("LISTED", reply="table", columns=["id"], role="admin")  # type: ignore[arg-type] # a list is as good
    def listed(context: Context) -> object: ...

    (made,) = listed.__command__  # type: ignore[attr-defined] # the decorator's mark
    assert (made.reply, made.columns, made.role) == (ReplyKind.TABLE, ("id",), Role.ADMIN)
