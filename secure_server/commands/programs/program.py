"""The handler of a declared command: an argv made of what the peer sent, run without a shell."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from secure_protocol.errors import CommandError
from secure_protocol.printable import controls_in, printable
from secure_protocol.replies import ReplyKind
from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.commands.command import Command, default_timeout
from secure_server.commands.context import Context
from secure_server.commands.parameter import MASK, SHOWN_CHARACTERS
from secure_server.commands.placeholders import PLACEHOLDER, filled, names_in
from secure_server.commands.programs.declaration import Declaration, DeclarationError, DeclaredArgument, read, signature
from secure_server.commands.programs.process import ExitLostError, Process
from secure_server.commands.programs.surroundings import (
    FromFile,
    content_of,
    home_of,
    rights_of,
)
from secure_server.commands.signature import SignatureError
from secure_server.i18n import N_
from secure_server.session.call import CallEndedError

PRINCIPAL = "SECURE_SERVER_PRINCIPAL"
"""The variable that tells a program on whose behalf it runs."""

_log = logging.getLogger("secure_server.commands")


def declare(name: str, table: object, inherited: Mapping[str, str] = os.environ) -> Command:
    """Return the command that `[commands.NAME]` declares.

    Args:
        name: as in the file, in any case.
        table: what stands there.
        inherited: the server's own environment.

    Raises:
        DeclarationError: it cannot be; one sentence says why.
    """
    if os.name != "posix":  # pragma: no cover - Windows
        raise DeclarationError(
            Sentence("commands.{name}: programs are run on POSIX systems only; write it in Python instead", name=name)
        )
    declaration = read(name, table)
    written, job = declaration.timeout, declaration.job
    program = Program(declaration, inherited)
    if shutil.which(declaration.run[0], path=program.environment["PATH"]) is None:
        _log.warning("commands.%s: there is no program %s here; the command will fail", name, declaration.run[0])
    for key, source in program.files.items():
        try:
            content_of(source)
        except (OSError, ValueError) as error:
            _log.warning("commands.%s.environment.%s: %s; the command will fail", name, key, error)
    try:
        return Command(
            name=name.upper(),
            handler=program,
            signature=signature(name, declaration),
            summary=declaration.summary,
            role=Role.parse(declaration.role),
            idempotent=declaration.idempotent,
            reply=ReplyKind.STREAM,
            timeout=default_timeout(job=job) if written is None else float(written) or None,
            job=job,
            max_running=declaration.max_running,
            when_busy=declaration.when_busy,
            lock=declaration.lock,
            on_revoked=declaration.on_revoked,
            notify=declaration.notify,
            internal=declaration.internal,
            confirm=declaration.confirm,
            example=declaration.example,
            danger=declaration.danger,
            group=declaration.group,
        )
    except SignatureError as error:
        raise DeclarationError(Sentence("commands.{name}: {error}.", name=name, error=error)) from None


class Program:
    """What a declaration has run.

    Args:
        declaration: checked.
        inherited: the server's own environment.

    Attributes:
        environment: what the program gets to see, but for the principal, and for what comes of arguments and files.
        files: what it gets of files, by the variable.
    """

    def __init__(self, declaration: Declaration, inherited: Mapping[str, str]) -> None:
        self._declaration = declaration
        self._directory = Path(declaration.directory).absolute()  # now: a command may change what that begins in
        self._rights = rights_of(declaration.run_as, declaration.umask, declaration.nice, declaration.limits)
        allowed = {key: inherited[key] for key in declaration.inherit if key in inherited}
        if declaration.run_as:
            user = home_of(declaration.run_as)
            allowed |= {key: value for key, value in user.items() if key in declaration.inherit}
        self._variables = {key: text for key, text in declaration.environment.items() if isinstance(text, str)}
        self.files = {key: item for key, item in declaration.environment.items() if isinstance(item, FromFile)}
        self._in_argv = {name for entry in declaration.run for name in names_in(entry)}
        fixed = {key: filled(text, {}) for key, text in self._variables.items() if not names_in(text)}
        self.environment = {"PATH": os.defpath} | allowed | {key: text or "" for key, text in fixed.items()}

    def __call__(self, context: Context, *values: object) -> Iterator[bytes]:
        """Run it, and give its output line by line.

        Raises:
            CommandError: an argument is not for a program, it cannot be started, or it failed.
        """
        given, body = self._given(values)
        return self._run(context, self._argv(given), self._environment(given), self._stdin(given, body))

    def _run(self, context: Context, argv: list[str], environment: dict[str, str], stdin: bytes) -> Iterator[bytes]:
        declaration, call = self._declaration, context.call
        assert call is not None  # noqa: S101 - it is never inline
        environment[PRINCIPAL] = context.principal.name if context.principal else ""
        limit = declaration.max_output
        written = 0
        try:
            environment |= {key: content_of(item) for key, item in self.files.items()}
            process = Process(
                argv,
                directory=self._directory,
                environment=environment,
                errors=declaration.stderr == "merge",
                stdin=stdin,
                rights=self._rights,
                before=context.before_program,
            )
        except (OSError, ValueError) as error:  # ValueError: of a file
            _log.error("%s cannot be run: %s", context.command.name, error)
            raise CommandError(
                N_("{command} cannot be run here; the server's log says why."), command=context.command.name
            ) from None
        with _noting_exit(context, process), process, call.on_cancel(process.wake):
            for line in process.lines():
                written += len(line) + 1
                if limit and written > limit:
                    raise CommandError(
                        N_("{command} wrote more than {limit} and was ended."),
                        command=context.command.name,
                        limit=limit,
                    )
                yield line
            try:
                code = process.wait()
            except ExitLostError:
                raise CommandError(
                    N_("{command} has ended, but its exit code is lost: another command took it."),
                    command=context.command.name,
                ) from None
        if code is None:
            raise CallEndedError
        if code not in declaration.exit_codes:
            raise _failed(context.command.name, code)

    def _given(self, values: tuple[object, ...]) -> tuple[dict[str, list[str]], bytes]:
        """Return the words of each argument, and what is for standard input as it came.

        Raises:
            CommandError: one is not for a program.
        """
        declaration, given, body = self._declaration, dict[str, list[str]](), b""
        rest = list(values)
        for key, item in declaration.arguments.items():
            taken = rest if item.variadic else rest[:1]
            rest = rest[len(taken) :]
            if not taken and item.default is not None:
                given[key] = [_word(item.default)]
            elif declaration.is_body(key):
                body = b"".join(value for value in taken if isinstance(value, bytes))
                given[key] = []
            else:
                words = [_word(value) for value in taken]
                given[key] = words if item.choices else [self._checked(key, word, item) for word in words]
        return given, body

    def _checked(self, key: str, word: str, item: DeclaredArgument) -> str:
        """Return what a program may be given. It is no longer than it may be: the signature saw to that.

        Raises:
            CommandError: a program could take it for an option, or could not take it at all.
        """
        name, given = key.replace("_", "-"), MASK if item.secret else printable(word, SHOWN_CHARACTERS)
        if word.startswith("-") and not item.dash and key in self._in_argv:
            raise CommandError(
                "Argument {name}: {given} begins with -, so a program could take it for an option.",
                name=name,
                given=given,
            )
        if controls_in(word, beyond_ascii=not item.unicode_controls):
            raise CommandError("Argument {name}: {given} holds a control character.", name=name, given=given)
        return word

    def _argv(self, given: Mapping[str, list[str]]) -> list[str]:
        """Fill the placeholders; an entry whose argument was left out is left out with it."""
        single = {key: words[0] for key, words in given.items() if words}
        argv: list[str] = []
        for entry in self._declaration.run:
            alone = PLACEHOLDER.fullmatch(entry)
            if alone and alone[2]:
                argv += given[alone[2]]
            elif (word := filled(entry, single)) is not None:
                argv.append(word)
        return argv

    def _environment(self, given: Mapping[str, list[str]]) -> dict[str, str]:
        """Likewise; a variable whose argument was left out is not set."""
        single = {key: words[0] for key, words in given.items() if words}
        found = {key: filled(text, single) for key, text in self._variables.items()}
        return {**self.environment, **{key: text for key, text in found.items() if text is not None}}

    def _stdin(self, given: Mapping[str, list[str]], body: bytes) -> bytes:
        """Likewise; standard input is empty then."""
        single = {key: words[0] for key, words in given.items() if words}
        return body or (filled(self._declaration.stdin, single) or "").encode()


@contextlib.contextmanager
def _noting_exit(context: Context, process: Process) -> Iterator[None]:
    """Leave the exit code to whoever records the command, however it ended."""
    try:
        yield
    finally:
        context.exit_code = process.exit_code


def _word(value: object) -> str:
    """Return a value as programs read it: a fraction without an exponent."""
    return format(Decimal(str(value)), "f") if isinstance(value, float) else str(value)


def _failed(name: str, code: int) -> CommandError:
    if code >= 0:
        return CommandError(N_("{command} ended with exit code {exit_code}."), command=name, exit_code=code)
    try:
        ended_by = signal.Signals(-code).name
    except ValueError:  # one of the real-time signals
        ended_by = str(-code)
    return CommandError(N_("{command} was ended by the signal {signal}."), command=name, signal=ended_by)
