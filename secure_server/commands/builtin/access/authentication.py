"""From stranger to principal: AUTH, HELLO, RESET, WHOAMI."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status
from secure_protocol.scram import MECHANISM, is_family
from secure_server.auth.principal import Role
from secure_server.commands.builtin.client import check_label
from secure_server.commands.builtin.services import services
from secure_server.commands.builtin.statistics import REDIS_VERSION, ROLE
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.session.session import Session
from secure_server.version import VERSION

GROUP = N_("Session")


@command(
    "AUTH",
    of_connection=True,
    audit=False,
    summary=N_("Authenticate with a token, with a name and a token, or by the mutual handshake."),
    role=Role.NOBODY,
    inline=True,
    secret=True,
    example="scs_…",
)
def auth(context: Context, name_or_token: bytes, token: bytes | None = None) -> object:
    """Authenticate in one of Redis' two forms, or with a message of SCRAM after the mechanism's name.

    Bytes, for an argument that does not convert is shown to the peer.
    """
    if is_family(mechanism := _text(name_or_token)):
        return _scram(context, mechanism, token)
    name, secret = (None, name_or_token) if token is None else (mechanism, token)
    return services(context).admission.bearer(context.session, name, _text(secret), lambda: Status("OK"))


def _scram(context: Context, mechanism: str, message: bytes | None) -> object:
    if mechanism.upper() != MECHANISM:
        raise CommandError(
            N_("Of these mechanisms there is {mechanism} alone."), code=ErrorCode.NOMECHANISM, mechanism=MECHANISM
        )
    if message is None:
        raise CommandError(N_("{mechanism} needs a message: AUTH {mechanism} <message>."), mechanism=MECHANISM)
    return services(context).admission.scram(context.session, _text(message))


@command(
    "HELLO",
    of_connection=True,
    audit=False,
    summary=N_("Choose the protocol version, authenticate and name the client, in one step."),
    role=Role.NOBODY,
    inline=True,
    secret=True,
    hidden=True,
    reply=ReplyKind.LINES,
    example="3 SETNAME build",
)
def hello(context: Context, protocol: bytes | None = None, *options: bytes) -> object:
    """Switch as in Redis: `HELLO [2|3 [AUTH name token] [SETNAME name]]`. Either all of it happens or nothing."""
    session = context.session
    if protocol not in (None, b"2", b"3"):
        raise CommandError(
            N_("Protocol version {given} is not 2 or 3."), code=ErrorCode.NOPROTO, given=printable(protocol, 5)
        )
    rest = [_text(option) for option in options]
    credential: tuple[str, str] | None = None
    label: str | None = None
    while rest:
        option = rest.pop(0)
        if option.upper() == "AUTH" and len(rest) >= 2:
            credential = (rest.pop(0), rest.pop(0))
        elif option.upper() == "SETNAME" and rest:
            label = check_label(rest.pop(0))
        else:
            raise CommandError(N_("HELLO takes AUTH name token and SETNAME name."))

    def welcome() -> dict[str, object]:
        return _welcome(session, protocol, label)

    if credential is not None:
        return services(context).admission.bearer(session, *credential, welcome)
    if session.principal is None:
        raise CommandError(
            N_("HELLO needs an authenticated client; send HELLO <version> AUTH <name> <token>."), code=ErrorCode.NOAUTH
        )
    return welcome()


def _welcome(session: Session, protocol: bytes | None, label: str | None) -> dict[str, object]:
    """Do what a HELLO that was let in asked for, and answer it."""
    session.codec = session.codec if protocol is None else session.codec.of_version(int(protocol))
    session.client_name = session.client_name if label is None else label
    principal, own = session.principal, session.own
    assert principal is not None  # noqa: S101 - whoever calls saw to it
    assert own is not None  # noqa: S101 - as above
    told: dict[str, object] = {
        "server": "secure-command-server",
        "version": REDIS_VERSION,
        "proto": session.codec.version,
        "id": session.number,
        "mode": "standalone",
        "role": ROLE,
        "modules": [],
        "user": principal.name,
        "user-role": principal.role.label,
        "server-version": VERSION,
        "argument-bytes": session.terms.known.argument_bytes,
        "request-bytes": session.terms.known.request_bytes,
        "completion": "told",
    }
    return told | ({"own-role": own.role.label} if principal.outside else {})


@command(
    "RESET",
    of_connection=True,
    audit=False,  # who it is next is on record
    about_session=True,
    summary=N_("Forget who this client is and what it set."),
    inline=True,
    hidden=True,
)
def reset(context: Context) -> Status:
    """Make the connection what it was when it was new."""
    session, sessions = context.session, services(context).sessions
    if session.principal is not None and session.proved is None:
        sessions.dismiss(session)
    elif session.proved is not None and not session.peer.admin:
        sessions.admit(session, session.proved)  # its place is its own; that of its token is free again
    session.reset(services(context).clock())
    return Status("RESET")


@command("WHOAMI", audit=False, about_session=True, summary=N_("Your name and role."), inline=True, idempotent=True)
def whoami(context: Context) -> str:
    """Return who the server takes you for."""
    principal = context.session.principal
    return "-" if principal is None else f"{principal.name} ({principal.role.label})"


@command(
    "ACL WHOAMI", audit=False, about_session=True, summary=N_("Your name."), inline=True, idempotent=True, hidden=True
)
def acl_whoami(context: Context) -> str:
    """Return the name alone, as Redis does."""
    principal = context.session.principal
    return "-" if principal is None else principal.name


def _text(argument: bytes) -> str:
    return argument.decode("utf-8", "replace")
