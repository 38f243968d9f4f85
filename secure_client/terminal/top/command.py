r"""`top`, wherever it is typed: at the prompt, where `\top` is the same whatever commands the server has, or with `-c`.

Only what is wanted is imported: the screen brings prompt-toolkit.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from secure_client.answers.columns import screen
from secure_client.answers.formats import plain_value
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.core.status import State
from secure_client.errors import CommandFailed, SetupError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.top import panes
from secure_client.terminal.top.asking import SORTED, STATS, clients_of, look_of
from secure_client.terminal.top.figures import Look, figures
from secure_client.terminal.top.frame import plain
from secure_client.terminal.top.options import INTERVALS, SYNTAX, Options
from secure_client.terminal.top.signs import Signs, signs
from secure_client.terminal.top.view import Listing, View
from secure_client.typed.line import Line
from secure_protocol.errors import ErrorCode

PATIENCE = 10.0
"""Seconds for the first look; then somebody wants to know that nothing comes."""
WHY: Mapping[str, str] = {
    ErrorCode.ERR: N_("This server has no SERVER STATS, which top shows: it is of an older version."),
    ErrorCode.NOPERM: N_("top is for administrators: this server does not let you run SERVER STATS."),
}
"""What a refusal means."""

Lent = Callable[[], AbstractContextManager[object]]


class Top:
    r"""Has `\top` shown.

    Args:
        client: of the server that is looked at.
        lent: entered while the screen is another's than the prompt's.
    """

    def __init__(self, client: Client, lent: Lent) -> None:
        self._client = client
        self._lent = lent

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for it."""
        return {
            "\\top": LocalCommand(
                N_("Watch the server on the whole screen: rates, latencies, the busiest commands and clients."),
                lambda rest: show(self._client, rest.split(), self._lent),
                SYNTAX,
                more=N_(
                    "It is for administrators, and top is enough where the server has no command of that name. --once "
                    "prints one frame, --once --json what the server answers to SERVER STATS. ? tells of the keys."
                ),
                group=N_("Answers"),
                values=_values,
            )
        }


def show(client: Client, words: Sequence[str], lent: Lent = nullcontext) -> str:
    """Show a server on the whole screen, until the user leaves; or return what is to be printed of it.

    Args:
        client: of the server.
        words: what was typed behind `top`.
        lent: entered while the screen is another's.

    Raises:
        ClientError: it is typed otherwise, or there is no terminal to show it on, or the server does not tell.
    """
    options = Options.parse(words)
    if options.json:
        return json.dumps(plain_value(first_look(client).stats))
    known = signs(getattr(sys.stdout, "encoding", None), platform=os.name)
    view = view_of(client, options.interval, known)
    if options.once:
        return "\n".join(once(client, view, screen().columns))
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise SetupError(_("top needs a terminal that it can draw on; top --once prints one frame."))
    look = first_look(client) if client.status.state is State.CONNECTED else None
    from secure_client.terminal.top.screen import TopScreen  # noqa: PLC0415 - brings prompt-toolkit

    with lent():
        TopScreen(client, view, look).run()
    return ""


def answer(client: Client, line: Line, renderer: Renderer) -> None:
    """Run `top` for a program, or where a person has typed it behind `-c`; raises as `show` does."""
    words = [word.decode("utf-8", "replace") for word in line.words[1:]]
    if renderer.as_json:
        Options.parse(words)
        renderer.answer(line.text, first_look(client).stats, None)
    elif shown := show(client, words):
        renderer.show(shown.split("\n"))


def once(client: Client, view: View, columns: int) -> list[str]:
    """Return one frame as lines of text; raises ClientError."""
    view.figures = figures(first_look(client), None, view.interval, view.signs)
    commands, clients = view.listings[0], Listing(panes.clients_at_once())
    view.listings = [commands, clients]
    commands.rows = view.figures.commands
    try:
        clients.rows = clients_of(_clients(client))
    except CommandFailed:  # such as NOPERM: the figures are told all the same
        clients.rows = ()
    return plain(view, columns)


def first_look(client: Client) -> Look:
    """Return a look, and say in a sentence why there is none.

    Raises:
        ClientError: there is none.
    """
    try:
        reply = client.execute(*STATS, timeout=PATIENCE, idempotent=True)
    except CommandFailed as error:
        if error.code not in WHY:
            raise
        raise CommandFailed(error.code, _(WHY[error.code])) from None
    return look_of(reply, time.monotonic())


def view_of(client: Client, interval: float, known: Signs) -> View:
    """Return a view of a server that nothing is known of yet."""
    session = client.status.session
    where = str(client.login.endpoint)
    listings = [Listing(panes.commands(known)), Listing(panes.clients())]
    return View(f"{session.user}@{where}" if session is not None else where, listings, known, interval)


def _clients(client: Client) -> object:
    try:
        return client.execute("CLIENTS", *SORTED, timeout=PATIENCE, idempotent=True)
    except CommandFailed as error:
        if error.code != ErrorCode.ERR:
            raise
    return client.execute("CLIENTS", timeout=PATIENCE, idempotent=True)


def _values(words: Sequence[str]) -> Sequence[str]:
    if words[-1:] == ["--interval"]:
        return [f"{interval:g}s" for interval in INTERVALS]
    return [option for option in ("--once", "--json", "--interval") if option not in words]
