"""TOKENS and TOKEN …: what `secure-server token` does, in the running server. A change acts before the answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from cryptography import x509

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import ReplyKind, Status, Table
from secure_protocol.sentence import Sentence
from secure_server.auth.description import active_of, describe
from secure_server.auth.errors import TokenError
from secure_server.auth.lifetime import parse_lifetime
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.rate import parse_rate
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.auth.tokens import ENROLMENT_SECONDS, LINK_SECONDS
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.config.endpoint import Endpoint
from secure_server.i18n import N_
from secure_server.identity.enrolment import Line, found_by, in_use, line_to
from secure_server.identity.link import Link, link_to
from secure_server.pki.errors import CertificateError

GROUP = N_("Tokens")

TLS = "tls"
"""The transport by which the line's client comes."""

TOKEN_COLUMNS = ("id", "name", "role", "state", "created", "expires", "last_used", "from", "still_used", "sessions")


def _active(context: Context) -> Iterable[TokenRecord]:
    now = time.time()
    return (
        record
        for record in services(context).tokens_by(context.session).list()
        if record.state(now) is TokenState.ACTIVE
    )


def _names(context: Context, _typed: str) -> Iterable[str]:
    return sorted(record.name for record in _active(context))


def _names_and_ids(context: Context, _typed: str) -> Iterable[Candidate]:
    records = list(_active(context))
    ids = sorted((record.id, f"{record.name} ({record.role.label})") for record in records)
    return [*sorted(record.name for record in records), *ids]


@command(
    "TOKENS",
    summary=N_("The tokens, without their secrets, and how many sessions use each."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=TOKEN_COLUMNS,
    minor=("still_used", "from", "created", "last_used", "sessions"),
    empty=N_("There are no tokens yet; make one with: secure-server token create NAME"),
)
def tokens(context: Context) -> Table:
    """List tokens as a table."""
    with _explained():
        records = services(context).tokens_by(context.session).list()
    told = (item | {"from": item["last_address"]} for item in _described(context, records, records))
    rows: list[tuple[object, ...]] = [tuple(item[column] for column in TOKEN_COLUMNS) for item in told]
    return Table(TOKEN_COLUMNS, rows, context.translate(context.command.empty))


@command(
    "TOKEN SHOW",
    summary=N_("All there is to tell of a token, or of all tokens of a name."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"name_or_id": N_("as TOKENS shows it")},
    complete={"name_or_id": _names_and_ids},
    example="ana",
)
def token_show(context: Context, name_or_id: str) -> list[dict[str, object]]:
    """Describe each."""
    with _explained():
        found = services(context).tokens_by(context.session).find(name_or_id)
        others = services(context).tokens_by(context.session).find(found[0].name)
    return list(_described(context, found, others))


@command(
    "TOKEN CREATE",
    summary=N_("Make a token and tell it, once."),
    role=Role.ADMIN,
    secret=True,
    arguments={
        "name": N_("whom it is for"),
        "role": N_("the most that it may do"),
        "expires": N_("for how long it is good: 30s, 15m, 12h, 30d, 4w"),
        "allow": N_("the only commands it may run: ECHO,TIME"),
        "networks": N_("the only ones it may come from: 10.0.0.0/8,192.0.2.7"),
        "max_sessions": N_("live sessions at once"),
        "rate": N_("how fast it may run commands: 10/s, or 10/s:50 with a burst"),
        "once": N_("good for one login; with --enroll, a line that is good once"),
        "enroll": N_("answer the line to paste at the client, which saves the server and the token there"),
        "web": N_("answer a link to the page, good once, which is exchanged there for a token"),
        "within": N_("for how long such a line or link is good once: 24h, 1h"),
        "host": N_("where the server is found, for the line or the link"),
        "port": N_("likewise"),
    },
    example="ana --role operator --expires 30d",
)
def token_create(
    context: Context,
    name: str,
    *,
    role: Literal["user", "operator", "admin"] = "user",
    expires: str | None = None,
    allow: str | None = None,
    networks: str | None = None,
    max_sessions: int | None = None,
    rate: str | None = None,
    once: bool = False,
    enroll: bool = False,
    web: bool = False,
    within: str | None = None,
    host: str | None = None,
    port: Annotated[int | None, Argument(minimum=1, maximum=65535)] = None,
) -> str:
    """Return the token alone, or the line, or the link, for whoever pipes it on."""
    if enroll and web:
        raise CommandError(N_("--enroll answers a line for secure-client, --web a link to the page: give one of them."))
    inviting, once = enroll or web, once or web
    if within is not None and not (inviting and once):
        raise CommandError(
            N_("--within is for --enroll --once and --web: only what is good once has a time of its own.")
        )
    if not inviting and (host, port) != (None, None):
        raise CommandError(N_("--host and --port are for --enroll and --web."))
    invitation = _invitation(context, host, port, web=web) if inviting else None  # before there is a token for nothing
    with _explained():
        seconds = parse_lifetime(within) if within is not None else LINK_SECONDS if web else ENROLMENT_SECONDS
        made = (
            services(context)
            .tokens_by(context.session)
            .create(
                name,
                Role.parse(role),
                None if expires is None else parse_lifetime(expires),
                None if allow is None else allow.split(","),
                networks=None if networks is None else networks.split(","),
                max_sessions=max_sessions,
                rate=None if rate is None else parse_rate(rate),
                use=TokenUse.LASTING if not once else TokenUse.ENROLMENT if inviting else TokenUse.ONCE,
                within=seconds,
            )
        )
    return made.reveal() if invitation is None else invitation.text(made)


def _invitation(context: Context, host: str | None, port: int | None, *, web: bool) -> Line | Link:
    """Return the line or the link to this server, but for the token."""
    found = services(context)
    running, facts = found.configuration.running, found.certificates.certificate
    bound = [address for transport, addresses in found.listening() if transport == TLS for address in addresses]
    endpoints = in_use(running.listen.endpoints, [(each.host, each.port) for each in map(Endpoint.parse, bound)])
    with _explained():
        if web:
            return link_to(running.web, endpoints, lambda: facts, host, port)
        authorities = found.authorities()
        if not authorities:
            raise CommandError(
                N_("This server has no CA of its own to give; ask its administrator whom to trust, and how to connect.")
            )
        certificates = x509.load_pem_x509_certificates(authorities.encode())
        return line_to(endpoints, certificates, facts, found_by(endpoints, host), port)


@command(
    "TOKEN ROTATE",
    summary=N_("Make a second token for a name and tell it, once; the old one works until it is revoked."),
    role=Role.ADMIN,
    secret=True,
    arguments={
        "name": N_("as TOKENS shows it"),
        "grace": N_("end the old one after so long: 24h"),
    },
    complete={"name": _names},
    example="ana --grace 24h",
)
def token_rotate(context: Context, name: str, *, grace: str | None = None) -> str:
    """Return the token alone."""
    with _explained():
        return (
            services(context)
            .tokens_by(context.session)
            .rotate(name, None if grace is None else parse_lifetime(grace))
            .reveal()
        )


@command(
    "TOKEN REVOKE",
    summary=N_("End a token, or all tokens of a name, and their sessions."),
    role=Role.ADMIN,
    confirm=N_("End {name_or_id} and its sessions on {server}?"),
    reply=ReplyKind.LINES,
    arguments={"name_or_id": N_("as TOKENS shows it")},
    complete={"name_or_id": _names_and_ids},
    example="ana",
)
def token_revoke(context: Context, name_or_id: str) -> list[str]:
    """Return which ended."""
    with _explained():
        revoked = services(context).tokens_by(context.session).revoke(name_or_id)
    said = context.translate("revoked {id} {name}")
    return [said.format(id=record.id, name=record.name) for record in revoked]


@command(
    "TOKEN PURGE",
    summary=N_("Remove the records of tokens that were revoked, spent or expired."),
    role=Role.ADMIN,
    confirm=N_("Remove the records of ended tokens on {server}?"),
    idempotent=True,
    arguments={"older": N_("only of those that ended so long ago: 30d")},
    example="--older 90d",
)
def token_purge(context: Context, *, older: str | None = None) -> Status:
    """Return how many."""
    with _explained():
        purged = services(context).tokens_by(context.session).purge(0 if older is None else parse_lifetime(older))
    return Status(context.translate("Removed: {count}.").format(count=len(purged)))


@command(
    "TOKEN REFRESH",
    audit=False,
    summary=N_("Take in at once what other programs changed in the token database; tells its generation."),
    role=Role.ADMIN,
    idempotent=True,
)
def token_refresh(context: Context) -> str:
    """Return how far it was taken in, for the program that made the change."""
    return str(services(context).take_in_tokens())


def _described(
    context: Context, records: Iterable[TokenRecord], others: Iterable[TokenRecord]
) -> Iterator[dict[str, object]]:
    now, live = time.time(), services(context).sessions.of_tokens()
    active = active_of(others, now)
    for record in records:
        yield describe(record, now, active.get(record.name, []), live.get(record.id, 0))


@contextmanager
def _explained() -> Iterator[None]:
    """Tell the caller, in its language, what could not be done."""
    try:
        yield
    except (TokenError, CertificateError) as error:
        sentence = error.args[0]
        if not isinstance(sentence, Sentence):
            raise
        raise CommandError(sentence.template, code=ErrorCode.ERR, **sentence.values) from None
