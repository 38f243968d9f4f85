"""Where `secure-client` begins: what most calls say is understood here, and all else by click.

For `secure-client work -c PING` click would take longer to import than all that the command needs; so would
prompt-toolkit, rich and whatever else only some calls use. Imports of those are where they are used.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from secure_client import streams
from secure_client.answers.formats import Format
from secure_client.cli.connecting import INTERRUPTED, complain, connect
from secure_client.errors import ClientError
from secure_client.profiles.target import Options
from secure_client.terminal.manner import Manner

SUBCOMMANDS = ("profile", "enroll", "completion")
"""Words that are no target where they come first."""


class Plain(NamedTuple):
    """A command line without rarer options.

    Attributes:
        target: a profile's name, or an endpoint; None where there is none.
        commands: of `-c`.
        as_json: `--json` was given.
    """

    target: str | None
    commands: tuple[str, ...]
    as_json: bool


def plain(words: Sequence[str]) -> Plain | None:
    """Understand `[TARGET] [-c COMMAND]… [--json]`, in any order; None where there is anything else to understand."""
    if words and words[0] in SUBCOMMANDS:
        return None
    targets: list[str] = []
    commands: list[str] = []
    as_json = False
    rest = iter(words)
    for word in rest:
        if word == "-c":
            command = next(rest, None)
            if command is None:
                return None
            commands.append(command)
        elif word == "--json":
            as_json = True
        elif word.startswith("-"):
            return None
        else:
            targets.append(word)
    return Plain(targets[0] if targets else None, tuple(commands), as_json) if len(targets) < 2 else None


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program; always ends in SystemExit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    streams.run(lambda: _program(words))


def _program(words: list[str]) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream that somebody replaced
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIO names no such method
    try:
        sys.exit(dispatch(words))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def dispatch(words: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    if instruction := os.environ.get("_SECURE_CLIENT_COMPLETE"):  # by the script of `secure-client completion`
        from secure_client.cli.completing import answer  # noqa: PLC0415 - brings click

        answer(instruction)
        return 0
    try:
        line = plain(words)
        if line is not None:
            return connect(Options(line.target), line.commands, Manner(Format.JSON if line.as_json else Format.TEXT))
        from secure_client.cli.program import understand  # noqa: PLC0415 - brings click

        return understand(words)
    except ClientError as error:
        complain(str(error))
        return error.exit_code
