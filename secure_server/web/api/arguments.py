"""From JSON to a command's words: by the arguments' names, or by position. No text ever becomes a flag."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NoReturn

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import CommandError
from secure_server.i18n import N_

SHOWN_CHARACTERS = 80
"""Of a name that a program gave an argument, in an error."""


def is_crowded(body: bytes | bytearray, most: int) -> bool:
    """Whether JSON has far more values than a request may have arguments; looked at before any of it is made.

    A megabyte of `0,0,0` takes Python a sixth of a second, in which no other client is answered. This takes two
    milliseconds, however the body is written.

    Args:
        body: JSON, or what should be.
        most: arguments that a request may have.
    """
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * most:  # around each text, and each name
        return True
    outside = b"".join(plain.split(b'"')[::2])
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{") > 2 * most


def words_of(command: CommandDescription, body: bytes) -> list[bytes]:
    """Return what is sent for a call, behind the command's name: flags, and the others behind them.

    Args:
        command: what is called.
        body: JSON, or nothing for no arguments.

    Raises:
        CommandError: it is none, or does not fit; says what to do.
    """
    given = _parsed(body)
    if isinstance(given, list):
        return _guarded(command, [word for item in given for word in _texts("[]", item)])
    unknown = [name for name in given if name not in {argument.name for argument in command.arguments}]
    if unknown:
        names = ", ".join(argument.name for argument in command.arguments) or "-"
        raise CommandError(
            N_("There is no argument {name}; there are: {names}."), name=unknown[0][:SHOWN_CHARACTERS], names=names
        )
    flags = [word for argument in command.arguments if argument.flag for word in _flag(argument, given)]
    return [*flags, *_guarded(command, _places(command, given))]


def _guarded(command: CommandDescription, places: list[bytes]) -> list[bytes]:
    """Return the words that are no flags, behind what says so where there are flags."""
    return [b"--", *places] if places and any(argument.flag for argument in command.arguments) else places


def _parsed(body: bytes) -> dict[str, object] | list[object]:
    if not body.strip():
        return {}
    try:
        # Numbers as they were written: the command reads them, and thousands of digits cost no time here.
        given = json.loads(body, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise CommandError(N_("The body is no JSON.")) from None
    if not isinstance(given, dict | list):
        raise CommandError(N_("The body is a JSON object of arguments by their names, or an array of them in order."))
    return given


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its members; of two with one name, one program takes the first and another the last."""
    made: dict[str, object] = {}
    for name, value in pairs:
        if name in made:
            raise CommandError(N_("The argument {name} is given twice."), name=name[:SHOWN_CHARACTERS])
        made[name] = value
    return made


def _no_number(word: str) -> NoReturn:
    """Python takes `NaN` and `Infinity`, which JSON has not."""
    raise ValueError(word)


def _flag(argument: ArgumentDescription, given: Mapping[str, object]) -> Iterator[bytes]:
    value = given.get(argument.name)
    if value is None:
        return
    name = argument.name.encode()
    yield (
        b"--" + name if argument.type == "bool" and value is True else b"--%s=%s" % (name, _text(argument.name, value))
    )


def _places(command: CommandDescription, given: Mapping[str, object]) -> list[bytes]:
    places: list[bytes] = []
    skipped: list[ArgumentDescription] = []
    for argument in command.arguments:
        if argument.flag:
            continue
        value = given.get(argument.name)
        if value is None or value == []:
            skipped.append(argument)
            continue
        for gap in skipped:  # an argument's place is known by those before it
            if not gap.default:
                raise CommandError(
                    N_("{name} stands behind {skipped}: give that as well."), name=argument.name, skipped=gap.name
                )
            places.append(gap.default.encode())
        skipped.clear()
        places += _texts(argument.name, value) if argument.variadic else [_text(argument.name, value)]
    return places


def _texts(name: str, value: object) -> list[bytes]:
    return [_text(name, item) for item in value] if isinstance(value, list) else [_text(name, value)]


def _text(name: str, value: object) -> bytes:
    if isinstance(value, list):
        raise CommandError(N_("{name} takes one value, not a list."), name=name)
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    raise CommandError(N_("{name} takes a text, a number, true or false."), name=name)
