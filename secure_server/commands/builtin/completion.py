"""COMPLETE: what may stand where a person is typing; from names, choices, and who a command says to ask."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence

from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, Command, Complete, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Parameter
from secure_server.i18n import N_
from secure_server.session.call import Call

GROUP = N_("Help")

COMPLETION_SECONDS = 0.5
"""How long a `complete=` callback may take; a person who types has typed on by then."""
COMPLETE_SECONDS = 5.0
"""For the whole answer, with what it waits for a worker; nobody looks at it after that."""
CALLBACKS_AT_ONCE = 8
"""Callbacks that run, late ones included: one that hangs costs a thread, and no more than these. While so many are
late, nobody else is asked."""
CANDIDATES = 100
"""The most that are told; a menu is no place for more."""
CANDIDATE_CHARACTERS = 200
"""A longer one is left out: cut, it would be another argument."""
TOLD = "--told"
"""Before the words: what there is to say of each candidate is wanted, too. No command can be called so."""
TOLD_CHARACTERS = 80
"""Of that; a menu has one line for each."""

Found = dict[str, str]
"""Candidates, in the order to show, with what there is to say of each; mostly nothing."""

_log = logging.getLogger("secure_server.commands")


class Asked:
    """The callbacks that run. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Call, str] = {}
        """The call of each, and whose callback it is."""
        self._told = False  # that all are late; until one of them ends

    @property
    def late(self) -> int:
        """How many run although nobody waits for them any more."""
        with self._lock:
            return sum(call.ended_by is not None for call in self._running)

    def enter(self, call: Call, name: str) -> bool:
        """Count one in; False where too many run. Where none of them may ever end, that is logged once."""
        with self._lock:
            if len(self._running) < CALLBACKS_AT_ONCE:
                self._running[call] = name
                return True
            if self._told or any(running.ended_by is None for running in self._running):
                return False
            self._told = True
            names = ", ".join(sorted(set(self._running.values())))
        _log.warning(
            "nothing is completed that commands' own callbacks know: %d run that are late and do not end, those of %s",
            CALLBACKS_AT_ONCE, names,
        )  # fmt: skip
        return False

    def leave(self, call: Call) -> None:
        """One has ended."""
        with self._lock:
            del self._running[call]
            self._told = False


asked = Asked()
"""Of all servers in this process."""


@command(
    "COMPLETE",
    audit=False,
    about_session=True,
    summary=N_("Complete the last word of a command that is being typed."),
    idempotent=True,
    hidden=True,
    secret=True,  # what is being typed may be a secret
    reply=ReplyKind.LINES,
    timeout=COMPLETE_SECONDS,
    example="HELP e",
)
def complete(context: Context, *words: str) -> list[str]:
    """Return what the last word may become, in the order to show; nothing where there is nothing to say.

    After `--told` each is followed by what there is to say of it.
    """
    told = words[:1] == (TOLD,)
    found = candidates(context, words[told:])
    return [text for pair in found.items() for text in pair] if told else [*found]


def candidates(context: Context, words: Sequence[str]) -> Found:
    """Return what the last one of `words` may become."""
    *before, typed = words or ("",)
    found = find(context, before)
    if found is None:
        return names(context, before, typed)
    target, given = found
    return arguments(context, target, given, typed)


def find(context: Context, words: Sequence[str]) -> tuple[Command, list[str]] | None:
    """Return the command that whole words name, if the caller may run it, and the arguments among them."""
    for count in (1, 2):
        named = services(context).command_named(" ".join(words[:count])) if len(words) >= count else None
        if named is not None:
            return (named, list(words[count:])) if context.may_run(named) else None
    return None


def names(context: Context, before: Sequence[str], typed: str) -> Found:
    """Return the words of commands' names that may follow `before`."""
    start = [word.upper() for word in before]
    listed = [item.name.split(" ") for item in services(context).catalogue.listed if context.may_run(item)]
    return matching((words[len(start)] for words in listed if len(words) > len(start) and _begins(words, start)), typed)


def _begins(words: list[str], start: list[str]) -> bool:
    return words[: len(start)] == start


def arguments(context: Context, target: Command, given: Sequence[str], typed: str) -> Found:
    """Return what an argument may become, after those that were given."""
    flags = {f"--{item.shown}": item for item in target.signature.parameters if item.flag}
    plain, awaited, ended = _read(given, flags)
    if awaited is not None:
        return values(context, target, awaited, typed, given)
    if flags and not ended and typed.startswith("-"):
        flag, equals, value = typed.partition("=")
        if equals and flag in flags:
            found = values(context, target, flags[flag], value, given)
            return {f"{flag}={value}": told for value, told in found.items()}
        used = {word.partition("=")[0] for word in given}
        return matching((flag for flag in flags if flag not in used), typed)
    positional = [item for item in target.signature.parameters if not item.flag]
    if not positional or (plain >= len(positional) and not positional[-1].variadic):
        return {}
    return values(context, target, positional[min(plain, len(positional) - 1)], typed, given)


def _read(given: Sequence[str], flags: dict[str, Parameter]) -> tuple[int, Parameter | None, bool]:
    """Return how many arguments are no flags, the flag that awaits its value, and whether `--` ended the flags."""
    plain = 0
    awaited: Parameter | None = None
    for position, word in enumerate(given):
        if awaited is not None:
            awaited = None
        elif flags and word == "--":
            return plain + len(given) - position - 1, None, True
        elif word in flags:
            awaited = flags[word] if flags[word].type != "bool" else None
        elif not (flags and word.startswith("--")):
            plain += 1
    return plain, awaited, False


def values(context: Context, target: Command, parameter: Parameter, typed: str, before: Sequence[str] = ()) -> Found:
    """Return what one parameter may be: its choices, or what its callback says in time."""
    if (callback := target.complete.get(parameter.name)) is not None:
        return ask(callback, context, target, typed, before)
    return matching(("yes", "no") if parameter.type == "bool" else parameter.choices, typed)


def ask(callback: Complete, context: Context, target: Command, typed: str, before: Sequence[str] = ()) -> Found:
    """Ask a command's own callback, in bounds; one that is late, fails, or finds no place has nothing to say.

    It is given a context of the command it belongs to, whose `cancelled` is set once nobody listens any more.
    """
    call = Call(lambda: None)
    if not asked.enter(call, target.name):
        return {}
    found: Found = {}

    def run() -> None:
        try:
            given = Context(context.session, context.services, target, call, before)
            found.update(matching(_until(call, callback(given, typed)), typed))
        except BaseException:  # noqa: BLE001, S110 - a person who types is no place for an operator's error, SystemExit, too
            pass
        finally:
            asked.leave(call)

    thread = threading.Thread(target=run, name=f"complete-{target.name}", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread can be had, so nobody else would give the place back
        asked.leave(call)
        return {}
    thread.join(COMPLETION_SECONDS)
    if thread.is_alive():
        call.cancel(ErrorCode.TIMEOUT)
        return {}
    return found


def _until(call: Call, offered: Iterable[Candidate]) -> Iterator[Candidate]:
    """Give candidates as long as somebody listens."""
    for candidate in offered:
        if call.ended_by is not None:
            return
        yield candidate


def matching(offered: Iterable[Candidate], typed: str) -> Found:
    """Return those that begin as typed, in any case, once each and in order, as many as may be told."""
    start = typed.casefold()
    found: Found = {}
    for each in offered:
        candidate, told = (each, "") if isinstance(each, str) else each
        if (
            candidate.casefold().startswith(start)
            and len(candidate) <= CANDIDATE_CHARACTERS
            and candidate.isprintable()
        ):
            found[candidate] = printable(told, TOLD_CHARACTERS)
            if len(found) == CANDIDATES:
                break
    return found
