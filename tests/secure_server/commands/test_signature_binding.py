"""What a handler's signature says, and what a peer may send for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Optional, Union

import pytest

from secure_protocol.errors import CommandError
from secure_server.commands.signature import Signature, SignatureError


def positional(_context: object, name: str, count: int = 7) -> None:
    """One needed, one not."""


def every(_context: object, s: str, b: bytes, i: int, f: float, yes: bool) -> None:  # noqa: FBT001 - what peers may send
    """One of each type."""


def raw(_context: object, *rest: bytes) -> None:
    """Bytes as they come."""


def raw_bounded(_context: object, first: bytes, second: bytes | None = None) -> None:
    """Likewise, one or two."""


def variadic(_context: object, first: str, *rest: int) -> None:
    """One, and any number."""


def choice(_context: object, service: Literal["web", "Worker", 3]) -> None:
    """One of a few."""


FLAGS = "DO IT target [--force] [--dry-run] [--count count]"


def flags(_context: object, target: str, *, force: bool = False, dry_run: bool = True, count: int = 1) -> None:
    """Options."""


def optional(_context: object, a: str | None, b: Optional[int] = None, c: Union[float, None] = None) -> None:  # noqa: UP007, UP045 - both spellings are read
    """`None` as a type says nothing of whether it must be given."""


def bind(handler: Callable[..., object], *arguments: bytes) -> tuple[list[object], dict[str, object]]:
    """Bind as the dispatcher does."""
    return Signature(handler).bind("DO IT", list(arguments))


@pytest.mark.parametrize(
    ("handler", "arguments", "values", "options"),
    [
        (positional, (b"x",), ["x"], {}),
        (positional, (b"x", b"-3"), ["x", -3], {}),
        (positional, ("é".encode(), b"+3"), ["é", 3], {}),
        (every, (b"s", b"\xff\0", b"12", b"1e3", b"Yes"), ["s", b"\xff\0", 12, 1000.0, True], {}),
        (every, (b"", b"", b"0", b"-.5", b"off"), ["", b"", 0, -0.5, False], {}),
        (raw, (), [], {}),
        (raw, (b"\xff", b"--x"), [b"\xff", b"--x"], {}),
        (raw_bounded, (b"a",), [b"a"], {}),
        (raw_bounded, (b"a", b"b"), [b"a", b"b"], {}),
        (variadic, (b"x",), ["x"], {}),
        (variadic, (b"x", b"1", b"2"), ["x", 1, 2], {}),
        (choice, (b"WEB",), ["web"], {}),
        (choice, (b"worker",), ["Worker"], {}),
        (choice, (b"3",), [3], {}),
        (flags, (b"x",), ["x"], {}),
        (flags, (b"--force", b"x"), ["x"], {"force": True}),
        (flags, (b"x", b"--dry-run=no", b"--count", b"5"), ["x"], {"dry_run": False, "count": 5}),
        (flags, (b"--count=-5", b"--", b"--force"), ["--force"], {"count": -5}),
        (optional, (b"x",), ["x"], {}),
        (optional, (b"x", b"1", b"2"), ["x", 1, 2.0], {}),
    ],
)
def test_arguments_are_converted(
    handler: Callable[..., object], arguments: tuple[bytes, ...], values: list[object], options: dict[str, object]
) -> None:
    """Each type, each kind of parameter, and the handler can be called with the outcome."""
    bound, named = bind(handler, *arguments)
    assert (bound, named) == (values, options)
    assert [type(value) for value in bound] == [type(value) for value in values]
    handler(None, *bound, **named)


@pytest.mark.parametrize(
    ("handler", "arguments", "said"),
    [
        (positional, (), "wrong number of arguments for 'do it' command: name is missing; write DO IT name [count]"),
        (
            positional,
            (b"a", b"1", b"x"),
            "wrong number of arguments for 'do it' command: too many; write DO IT name [count]",
        ),
        (
            raw_bounded,
            (),
            "wrong number of arguments for 'do it' command: first is missing; write DO IT first [second]",
        ),
        (
            raw_bounded,
            (b"a", b"b", b"c"),
            "wrong number of arguments for 'do it' command: too many; write DO IT first [second]",
        ),
        (variadic, (), "wrong number of arguments for 'do it' command: first is missing; write DO IT first [rest …]"),
        (optional, (), "wrong number of arguments for 'do it' command: a is missing; write DO IT a [b] [c]"),
        (
            flags,
            (b"--force",),
            f"wrong number of arguments for 'do it' command: target is missing; write {FLAGS}",
        ),
        (positional, (b"x", b"many"), "Argument count: many is not a valid int."),
        (positional, (b"x", b"1_0"), "Argument count: 1_0 is not a valid int."),
        (positional, (b"x", b"9" * 21), f"Argument count: {'9' * 21} is not a valid int."),
        (positional, (b"\xff",), r"Argument name: \xff is not a valid str."),
        (positional, (b"x", b"\x1b[2J"), r"Argument count: \x1b[2J is not a valid int."),
        (positional, (b"x", b"y" * 100), f"Argument count: {'y' * 60}… is not a valid int."),
        (every, (b"", b"", b"0", b"nan", b"on"), "Argument f: nan is not a valid float."),
        (every, (b"", b"", b"0", b"inf", b"on"), "Argument f: inf is not a valid float."),
        (every, (b"", b"", b"0", b"1_0", b"on"), "Argument f: 1_0 is not a valid float."),
        (every, (b"", b"", b"0", b"x", b"on"), "Argument f: x is not a valid float."),
        (every, (b"", b"", b"0", b"1", b"maybe"), "Argument yes: maybe is not a valid bool; write yes, no."),
        (every, (b"", b"", b"0", b"1", b"\xff"), r"Argument yes: \xff is not a valid bool; write yes, no."),
        (variadic, (b"x", b"1", b"two"), "Argument rest: two is not a valid int."),
        (choice, (b"db",), "Argument service: db is not one of web, Worker, 3."),
        (choice, (b"\xff",), r"Argument service: \xff is not one of web, Worker, 3."),
        (flags, (b"x", b"--bogus"), "Unknown option --bogus; allowed are --count, --dry-run, --force."),
        (flags, (b"x", b"--count"), "Option --count needs a value."),
        (flags, (b"x", b"--count", b"y"), "Argument count: y is not a valid int."),
        (flags, (b"x", b"--force=perhaps"), "Argument force: perhaps is not a valid bool; write yes, no."),
    ],
)
def test_what_does_not_fit_is_named(handler: Callable[..., object], arguments: tuple[bytes, ...], said: str) -> None:
    """Which argument, what was given, fit for a terminal, and what is allowed."""
    with pytest.raises(CommandError) as caught:
        bind(handler, *arguments)
    assert caught.value.sentence() == said


def untyped(_context: object, x) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - what is to be refused
    """No type."""


def keywords(_context: object, **x: str) -> None:
    """Anything by name."""


def nested(_context: object, x: dict[str, str]) -> None:
    """No argument is a mapping."""


def either(_context: object, x: int | str) -> None:
    """Which one?"""


def needed(_context: object, *, x: int) -> None:
    """An option that must be given is none."""


@pytest.mark.parametrize("handler", [untyped, keywords, nested, either, needed])
def test_a_signature_that_no_peer_can_call_is_refused_at_start(handler: Callable[..., Any]) -> None:
    """The operator reads which function and which parameter."""
    with pytest.raises(SignatureError, match=rf"{handler.__qualname__}: .*x"):
        Signature(handler)


def test_parameters_describe_themselves_to_clients() -> None:
    """Names as people write them, types, choices, and what may be left out."""
    described = [item.describe(str.upper) for item in Signature(flags, {"target": "what to do it to"}).parameters]
    assert [(item.name, item.type, item.optional, item.flag, item.variadic) for item in described] == [
        ("target", "str", False, False, False),
        ("force", "bool", True, True, False),
        ("dry-run", "bool", True, True, False),
        ("count", "int", True, True, False),
    ]
    assert [item.summary for item in described] == ["WHAT TO DO IT TO", "", "", ""]
    assert Signature(choice).parameters[0].describe(str).choices == ("web", "Worker", "3")
    assert Signature(variadic).parameters[1].describe(str).variadic
