"""What may stand where the cursor is in a shell's line, without a connection and without a question.

click knows the options, the profiles the servers, and commands are those that were kept. What goes wrong is not said:
somebody is typing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete

from secure_client.catalogue import Catalogue
from secure_client.cli.completion import PROGRAM, SHELLS, VARIABLE, completion
from secure_client.cli.enroll import enroll
from secure_client.cli.kept_commands import kept
from secure_client.cli.profile import profile
from secure_client.cli.program import connecting
from secure_client.core.endpoint import Endpoint
from secure_client.errors import ClientError
from secure_client.profiles.profiles import Profiles
from secure_client.profiles.target import endpoint_of
from secure_client.typed.arguments import assigned


def answer(instruction: str) -> None:
    """Print what may stand where the cursor is, as the shell's script reads it; nothing where anything is wrong."""
    with contextlib.suppress(Exception):
        shell = SHELLS[instruction.partition("_")[0]](completion, {}, PROGRAM, VARIABLE)
        words, begun = shell.get_completion_args()
        told = [shell.format_completion(item) for item in _items(words, begun)]
        click.echo("\n".join(told))


def _items(words: Sequence[str], begun: str) -> list[CompletionItem]:
    below: dict[str, click.Command] = {"profile": profile, "enroll": enroll, "completion": completion}
    first = words[0] if words else ""
    command, rest = (below[first], words[1:]) if first in below else (connecting, words)
    if command is connecting and words and words[-1] == "-c":
        return _commands(words[:-1], begun)
    if command is connecting and words and words[-1] in ("-p", "--profile"):
        return [CompletionItem(name) for name in _names() if name.startswith(begun)]
    asked = ShellComplete(command, {}, PROGRAM, VARIABLE)
    found = asked.get_completions(list(rest), begun)
    if command is connecting and not begun.startswith("-") and not _target(words):
        servers = [*(below if not words else ()), *_names(), *_addresses()]
        found = [*found, *(CompletionItem(word) for word in dict.fromkeys(servers) if word.startswith(begun))]
    elif command is profile and len(rest) == 1 and rest[0] in ("show", "test", "default", "remove"):
        found = [*found, *(CompletionItem(name) for name in _names() if name.startswith(begun))]
    return found


def _names() -> list[str]:
    with contextlib.suppress(ClientError):
        return list(Profiles().load())
    return []


def _addresses() -> list[str]:
    with contextlib.suppress(ClientError):
        return [profile.endpoint for profile in Profiles().load().values()]
    return []


def _target(words: Sequence[str]) -> str | None:
    """The server that a line names, by a profile or not."""
    context = connecting.make_context(PROGRAM, list(words), resilient_parsing=True)
    named = context.params.get("profile") or context.params.get("target")
    return str(named) if named else None


def _commands(words: Sequence[str], begun: str) -> list[CompletionItem]:
    """What may follow in a command that is typed behind `-c`, whole each, as the shell has one word for it."""
    catalogue = kept(_endpoint(_target(words)))
    before, _blank, word = begun.rpartition(" ")
    given = before.split()
    start = f"{before} " if given else ""
    follow = dict.fromkeys(_follow(catalogue, given))
    return [CompletionItem(start + each) for each in follow if each.upper().startswith(word.upper())]


def _endpoint(target: str | None) -> Endpoint:
    return endpoint_of(target, Profiles())


def _follow(catalogue: Catalogue, given: Sequence[str]) -> list[str]:
    if not given:
        return [name.split()[0] for name in catalogue.names]
    found = [item.name.split()[1] for item in catalogue.subcommands(given[0])] if len(given) == 1 else []
    command = catalogue.find(given)
    if command is None:
        return found
    values = [each.encode("utf-8", "surrogatepass") for each in given[len(command.name.split()) :]]
    last = assigned(command, [*values, b""])[-1:]
    if last and last[0].at == len(values):
        found += last[0].argument.choices
        if last[0].argument.flag:
            return found
    return found + [f"--{argument.name}" for argument in command.arguments if argument.flag]
