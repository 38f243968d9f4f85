"""Redis' CLIENT commands: for its clients in every language, in the shapes they parse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from secure_protocol.errors import CommandError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind, Status, Verbatim
from secure_server.auth.principal import Role
from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.session.filter import SessionFilter, is_address
from secure_server.session.session import Session
from secure_server.session.standing import LABEL_CHARACTERS

GROUP = N_("Connection, for Redis clients")


def check_label(label: str) -> str:
    """Return a name that a client gives itself, if it is one that a `key=value` line can hold.

    Raises:
        CommandError: it is not.
    """
    if len(label) > LABEL_CHARACTERS or not all("!" <= char <= "~" for char in label):
        raise CommandError(
            N_("A client's name has at most {limit} printable ASCII characters and no space."), limit=LABEL_CHARACTERS
        )
    return label


def describe(session: Session, now: float) -> str:
    """Return one session as a line of `CLIENT LIST`: Redis' fields, all of them in its order, then ours.

    Some clients read them by their place, and some want every number to be there. What there is not is 0, or -1.

    Args:
        session: the session.
        now: monotonic seconds.
    """
    activity, principal = session.activity, session.principal
    unread, unsent = session.unread, len(session.output)
    fields = {
        "id": session.number,
        "addr": session.peer.address,
        "laddr": session.peer.local,
        "fd": -1,
        "name": session.client_name,
        "age": max(0, int(now - activity.since)),
        "idle": max(0, int(now - activity.last_active)),
        "flags": "U" if session.peer.admin else "N",
        "db": 0,
        "sub": 0,
        "psub": 0,
        "ssub": 0,
        "multi": -1,
        "watch": 0,
        "qbuf": unread,
        "qbuf-free": 0,
        "argv-mem": 0,
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": unsent,
        "oll": 0,
        "omem": 0,
        "tot-mem": unread + unsent,
        "events": "rw" if unsent else "r",
        "cmd": activity.last_command.replace(" ", "|").lower() or "NULL",
        "user": "" if principal is None else principal.name,
        "redir": -1,
        "resp": session.codec.version,
        "lib-name": session.library[0],
        "lib-ver": session.library[1],
        "tot-net-in": activity.received,
        "tot-net-out": activity.sent,
        "tot-cmds": activity.commands,
        "role": session.role.label,
        "transport": session.peer.transport,
        "tls": session.peer.tls,
        "cipher": session.peer.cipher,
    }
    return " ".join(f"{key}={value}" for key, value in fields.items())


@command(
    "CLIENT ID",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("The number of this connection."),
    inline=True,
    idempotent=True,
    hidden=True,
)
def client_id(context: Context) -> int:
    """Return the session's number."""
    return context.session.number


@command(
    "CLIENT GETNAME",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("The name this client gave itself."),
    inline=True,
    idempotent=True,
    hidden=True,
)
def client_getname(context: Context) -> str | None:
    """Return the name, or nothing."""
    return context.session.client_name or None


@command(
    "CLIENT SETNAME",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Give this client a name, for lists."),
    inline=True,
    idempotent=True,
    hidden=True,
    example="deploy-job",
)
def client_setname(context: Context, name: str) -> Status:
    """Set the name."""
    context.session.client_name = check_label(name)
    return Status("OK")


@command(
    "CLIENT SETINFO",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Tell the client's library."),
    inline=True,
    idempotent=True,
    hidden=True,
    example="lib-name redis-py",
)
def client_setinfo(context: Context, attribute: str, value: str) -> Status:
    """Set `LIB-NAME` or `LIB-VER`."""
    name, version = context.session.library
    if attribute.upper() == "LIB-NAME":
        context.session.library = (check_label(value), version)
    elif attribute.upper() == "LIB-VER":
        context.session.library = (name, check_label(value))
    else:
        raise CommandError(N_("CLIENT SETINFO takes LIB-NAME or LIB-VER."))
    return Status("OK")


@command(
    "CLIENT REPLY",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Choose which requests are answered."),
    inline=True,
    hidden=True,
    example="OFF",
)
def client_reply(context: Context, replies: Literal["ON", "OFF", "SKIP"]) -> Status:
    """Answer all, none, or all but the next; `OFF` and `SKIP` are not answered themselves. Pushes come all the same."""
    session = context.session
    if replies == "SKIP":
        session.unwanted = max(session.unwanted, 2)  # this one's reply, and the next
    else:
        session.unwanted = 0 if replies == "ON" else math.inf
    return Status("OK")


@command(
    "CLIENT NO-EVICT",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Accepted: nothing is evicted here."),
    inline=True,
    idempotent=True,
    hidden=True,
    example="ON",
)
@command(
    "CLIENT NO-TOUCH",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Accepted: nothing ages here."),
    inline=True,
    idempotent=True,
    hidden=True,
    example="ON",
)
def client_no_evict(_context: Context, mode: Literal["ON", "OFF"]) -> Status:  # noqa: ARG001 - for its syntax
    """Do nothing: Redis' clients set it on every connection."""
    return Status("OK")


@command(
    "SELECT",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Accepted for database 0; there is no other."),
    inline=True,
    idempotent=True,
    hidden=True,
    example="0",
)
def select(_context: Context, database: int) -> Status:
    """Take the database that every Redis client knows."""
    if database != 0:
        raise CommandError(N_("DB index is out of range"))
    return Status("OK")


@command(
    "CLIENT INFO",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("This connection in numbers."),
    inline=True,
    idempotent=True,
    hidden=True,
    reply=ReplyKind.LINES,
)
def client_info(context: Context) -> Verbatim:
    """Return this session's line of `CLIENT LIST`."""
    return Verbatim(describe(context.session, services(context).clock()) + "\n")


@command(
    "CLIENT LIST",
    summary=N_("The connected clients, as Redis lists them."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
    example="USER ana",
)
def client_list(context: Context, *filters: str) -> Verbatim:
    """List the sessions that the filters choose: `ID n …`, `MAXAGE seconds`, `idle>5m` and so on."""
    chosen = SessionFilter.parse(list(filters))
    now = services(context).clock()
    return Verbatim(
        "".join(
            describe(session, now) + "\n"
            for session in Pieces(context).of(services(context).sessions)
            if chosen.matches(session, context.session, now)
        )
    )


@command("CLIENT KILL", summary=N_("Close connections, as Redis does."), role=Role.ADMIN, example="USER ana SKIPME yes")
def client_kill(context: Context, *filters: str) -> int | Status:
    """Close what the filters choose and return how many; or `CLIENT KILL ip:port`, the old form. You are spared."""
    sessions, me, now = services(context).sessions, context.session, services(context).clock()
    words = list(filters)
    if len(words) == 1 and is_address(words[0]):
        named = SessionFilter.at(words[0]).spare_me()
        if not sessions.close(named.matcher(me, now), CloseReason.KICKED):
            raise CommandError(N_("No such client."))
        return Status("OK")
    chosen = SessionFilter.parse(words)
    if chosen.empty:
        raise CommandError(N_("CLIENT KILL needs a filter: an empty one would close everybody."))
    closed = sessions.close(replace(chosen, skip_me=True).matcher(me, now), CloseReason.KICKED)
    if chosen.spare_me().matches(me, me, now):  # SKIPME no: answer first, then go
        me.call_soon(lambda: me.close_later(CloseReason.KICKED))
        closed += 1
    return closed
