"""From JSON to a command's words: by the arguments' names, or by position. No text ever becomes a flag."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.errors import CommandError
from secure_server.i18n import N_


def words_of(command: CommandDescription, body: bytes) -> list[bytes]:
    """Return what is sent for a call: the command's name, flags, and the others behind them.

    Args:
        command: what is called.
        body: JSON, or nothing for no arguments.

    Raises:
        CommandError: it is none, or does not fit; says what to do.
    """
    given = _parsed(body)
    if isinstance(given, list):
        places = [word for item in given for word in _texts("[]", item)]
        return [*_name(command), *_guarded(command, places)]
    unknown = [name for name in given if name not in {argument.name for argument in command.arguments}]
    if unknown:
        names = ", ".join(argument.name for argument in command.arguments) or "-"
        raise CommandError(N_("There is no argument {name}; there are: {names}."), name=unknown[0], names=names)
    flags = [word for argument in command.arguments if argument.flag for word in _flags(argument, given)]
    return [*_name(command), *flags, *_guarded(command, _places(command, given))]


def _name(command: CommandDescription) -> list[bytes]:
    return [word.encode() for word in command.name.split()]


def _guarded(command: CommandDescription, places: list[bytes]) -> list[bytes]:
    """Return the words that are no flags, behind what says so where there are flags."""
    return [b"--", *places] if places and any(argument.flag for argument in command.arguments) else places


def _parsed(body: bytes) -> dict[str, object] | list[object]:
    if not body.strip():
        return {}
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise CommandError(N_("The body is no JSON.")) from None
    if not isinstance(given, dict | list):
        raise CommandError(N_("The body is a JSON object of arguments by their names, or an array of them in order."))
    return given


def _flags(argument: ArgumentDescription, given: Mapping[str, object]) -> Iterator[bytes]:
    value = given.get(argument.name)
    if value is None:
        return
    name = argument.name.encode()
    if argument.type == "bool" and value is True:
        yield b"--" + name
        return
    for text in _texts(argument.name, value):
        yield b"--%s=%s" % (name, text)


def _places(command: CommandDescription, given: Mapping[str, object]) -> list[bytes]:
    places: list[bytes] = []
    skipped = ""
    for argument in command.arguments:
        if argument.flag:
            continue
        value = given.get(argument.name)
        if value is None or value == []:
            skipped = skipped or argument.name
            continue
        if skipped:
            raise CommandError(
                N_("{name} stands behind {skipped}: give that as well."), name=argument.name, skipped=skipped
            )
        if isinstance(value, list) and not argument.variadic:
            raise CommandError(N_("{name} takes one value, not a list."), name=argument.name)
        places += _texts(argument.name, value)
    return places


def _texts(name: str, value: object) -> list[bytes]:
    if isinstance(value, list):
        return [text for item in value if not isinstance(item, list) for text in _texts(name, item)]
    if isinstance(value, bool):
        return [b"yes" if value else b"no"]
    if isinstance(value, int | float):
        return [str(value).encode()]
    if isinstance(value, str):
        return [value.encode("utf-8", "surrogatepass")]
    raise CommandError(N_("{name} takes a text, a number, true or false."), name=name)
