"""What commands say of their jobs, and what contradicts itself in it: looked for when all commands are there."""

from __future__ import annotations

from collections.abc import Iterator

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.commands.command import Command
from secure_server.commands.parameter import Parameter
from secure_server.commands.placeholders import PLACEHOLDER, names_in
from secure_server.commands.registry import Registry

TOLD = ("job", "command", "state", "who", "exit_code")
"""What an internal command may ask for, as text; `exit_code` is empty where there is none."""
LONGEST_LOCK = 200
"""Characters of `lock` as it is written; people read its name in refusals and tables."""


def contradictions(registry: Registry) -> Iterator[Sentence]:
    """Yield what cannot be, a sentence each: in a command, or between two."""
    for command in (*registry, *registry.internals):
        for problem in (*_of_job(command), *_of_internal(command), *_of_notify(command, registry)):
            yield Sentence("The command {name}: {problem}.", name=command.name, problem=problem)


def _of_job(command: Command) -> Iterator[Sentence]:
    if command.job:
        for name in ("inline", "urgent", "secret", "about_session"):
            if getattr(command, name):
                yield Sentence("a job is a run of its own, on record, so it cannot be {name}; take one away", name=name)
        if command.role is Role.NOBODY:
            yield Sentence("a job belongs to somebody, so its role cannot be nobody; take user")
        yield from _of_lock(command)
        return
    given = {
        "max_running": command.max_running is not None,
        "when_busy": command.when_busy != "refuse",
        "lock": command.lock,
        "on_revoked": command.on_revoked != "stop",
        "notify": command.notify,
    }
    for name in (name for name, is_given in given.items() if is_given):
        yield Sentence("{name} is for jobs; add job = true, or take it away", name=name)


def _of_lock(command: Command) -> Iterator[Sentence]:
    lock, names = command.lock, names_in(command.lock)
    if printable(lock, LONGEST_LOCK) != lock:
        yield Sentence("its lock has control characters, or more than {most} characters", most=LONGEST_LOCK)
    if set("{}") & set(PLACEHOLDER.sub("", lock)):
        yield Sentence("its lock has braces around what is no name; a name has small letters, digits and _")
    parameters = {parameter.name: parameter for parameter in command.signature.parameters}
    for name in names:
        if name not in parameters:
            yield Sentence("its lock names {{{name}}}, which is no argument", name=name)
        elif why := _unfit(parameters[name]):
            yield Sentence("its lock names {{{name}}}, which {why}", name=name, why=why)


def _unfit(parameter: Parameter) -> Sentence | None:
    """Why an argument cannot stand in a lock's name; None where it can."""
    if parameter.variadic:
        return Sentence("may be several")
    if parameter.describe(str).secret:
        return Sentence("is secret")
    if parameter.required:
        return None
    if not parameter.default:
        return Sentence("may be left out and has no default")
    try:
        parameter.read(parameter.default.encode())
    except CommandError as error:
        return Sentence("has a default that is not allowed: {why}", why=error.sentence().rstrip("."))
    return None


def _of_internal(command: Command) -> Iterator[Sentence]:
    if not command.internal:
        return
    if command.job:
        yield Sentence("an internal command is told of jobs, so it cannot be one")
    for parameter in command.signature.parameters:
        if parameter.name not in TOLD:
            yield Sentence(
                "an internal command is given {names} and nothing else, so {name} cannot be an argument",
                names=", ".join(TOLD),
                name=parameter.name,
            )
        elif parameter.type != "str" or parameter.choices or parameter.variadic or parameter.flag:
            yield Sentence("{name} is given as one text: no other type, no choices, no option", name=parameter.name)


def _of_notify(command: Command, registry: Registry) -> Iterator[Sentence]:
    for name in command.notify:
        if registry.internal(name) is not None:
            continue
        if registry.named(name) is not None:
            yield Sentence("notify names {name}, which clients can call; add internal = true there", name=name)
        else:
            yield Sentence("notify names {name}, but there is no such command; declare it, internal", name=name)
