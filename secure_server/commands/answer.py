"""What a handler's value, or failure, is to its peer."""

from __future__ import annotations

import logging
import os
import secrets
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from secure_protocol.errors import CommandError, Failure
from secure_protocol.replies import ErrorReply
from secure_server.commands.command import Command
from secure_server.commands.context import Context
from secure_server.commands.stream import stream
from secure_server.i18n import N_
from secure_server.recording.recorded import INTERNAL_ERROR, OK
from secure_server.recording.recording import STOPPED
from secure_server.recording.server_lines import speak_again
from secure_server.session.call import Awaited, CallEndedError, Later
from secure_server.session.session import Session

CHILD_EXIT = 70
"""Exit code of a child that a handler forked and that came back from it: an error inside the program (sysexits.h)."""

_log = logging.getLogger("secure_server.dispatcher")


def answer(context: Context, handler: Callable[[], object]) -> tuple[str, bytes] | Later[Any] | Awaited:
    """Call a handler; return its outcome and its encoded reply, whatever it does. On the loop or on a worker.

    `Later` and `Awaited` are what an inline handler gives that answers later.
    """
    session, command, call = context.session, context.command, context.call
    try:
        value = handler()
        if call is None and isinstance(value, Later | Awaited):
            return value
        if call is not None and isinstance(value, Iterator):
            return OK, stream(context, call, value)
        form = session.translate(command.form) if command.form else ""
        return OK, session.codec.reply(value, command.reply, form)
    except BaseException as error:  # noqa: BLE001 - whatever it raises; no handler may end the thread that it runs on
        if isinstance(error, CallEndedError) and call is not None and call.ended_by is not None:
            return STOPPED, session.ended_reply(call)
        return fault(context, error)


def fault(context: Context, error: BaseException) -> tuple[str, bytes]:
    """Return what the log calls it when a handler raises that, and the encoded reply."""
    session = context.session
    outcome = INTERNAL_ERROR
    if isinstance(error, Failure):
        try:
            told, outcome = session.failure(error), str(error.code)
        except BaseException as broken:  # noqa: BLE001 - a value that is missing, or raises when it is written: a bug, too
            told = _internal_error(session, context.command, broken)
    else:
        told = _internal_error(session, context.command, error)
    return outcome, session.codec.failure(told, streamed=context.call is not None and context.call.streamed)


def _internal_error(session: Session, command: Command, error: BaseException) -> ErrorReply:
    """Log the traceback under a reference, and give the peer the reference alone.

    Of a command with secret arguments the log gets where it failed and the kind of error: messages like to quote.

    It is text before the log gets it: an error's own words may take long, and a log is written under a lock.
    """
    reference = secrets.token_hex(4)
    if command.discreet:
        lines = [*traceback.format_tb(error.__traceback__), type(error).__qualname__]
    else:
        lines = traceback.format_exception(error)
    where = "".join(lines).rstrip("\n")
    speak_again()  # the handler may have configured logging
    _log.error("internal error %s in %s, session %d\n%s", reference, command.name, session.number, where)
    return session.failure(CommandError(N_("Internal error, reference {reference}."), reference=reference))


def end_child(process: int) -> None:
    """End a child that a handler forked and that came back from it: its answer and its record are its parent's.

    Args:
        process: in which the handler was called.
    """
    if os.getpid() != process:
        os._exit(CHILD_EXIT)
