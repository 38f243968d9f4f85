"""A command: name, handler, policy. The policy is data; the dispatcher's gate applies it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Literal, TypeVar

from secure_protocol.description import CommandDescription
from secure_protocol.errors import Failure
from secure_protocol.replies import ReplyKind
from secure_protocol.sentence import Sentence
from secure_protocol.text_requests import split
from secure_server.audit.record import Withheld
from secure_server.auth.principal import Role
from secure_server.commands import question
from secure_server.commands.options import OnRevoked, WhenBusy, check, role_of
from secure_server.commands.parameter import Parameter
from secure_server.commands.placeholders import filled, names_in, part_of_name
from secure_server.commands.signature import Signature, SignatureError, returned
from secure_server.i18n import Translate

Handler = TypeVar("Handler", bound=Callable[..., object])
Candidate = str | tuple[str, str]
"""What may stand where a person is typing; in the second form with what there is to say of it: whose a number is."""
Complete = Callable[..., Iterable[Candidate]]
"""Asked, on a thread of its own, for what may stand where a person has typed so much of an argument. It is given a
`Context` and what was typed; the context names the command that runs, so it cannot be named here."""

DEFAULT_TIMEOUT = 60.0
"""Seconds; a handler that may take longer says so. A job has none: nobody has to wait for its end."""
LONGEST_TIMEOUT = 7 * 86400
"""Seconds, as for every deadline; what may take longer has none."""
NAME = re.compile(r"[A-Z][A-Z0-9_-]{0,63}( [A-Z][A-Z0-9_-]{0,63})?")
"""What a command may be called: a word, or two for a subcommand."""
GROUP = "GROUP"
"""What a module calls the group of its commands, where they say no other."""
ATTRIBUTE = "__command__"
"""Where `command` leaves what it made of a handler, for the registry to find."""


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """A command as data. No two are equal, whatever they have in common, so it can be a key.

    Attributes:
        name: upper case; two words make a subcommand (`CLIENT LIST`).
        handler: called with a context and the converted arguments; what it returns is the reply.
        signature: how to call it.
        summary: one English sentence, translated where it is shown.
        role: the least role that may run it; NOBODY: even before authentication.
        inline: it never blocks, and runs on the I/O thread; others run on a worker.
        idempotent: sending it twice does what sending it once does.
        reply: how to show its answer.
        form: wording around a one-line answer; English, translated where it is shown.
        columns: of a table; of a stream whose parts are maps, the keys whose values people read without them.
        empty: told instead of an empty table; English, likewise.
        unmatched: told where arguments chose none of its rows, with `{count}` and `{given}`; English, likewise.
        pages: of a long table, the column by which clients go on from `--limit` rows to those `--after` the last; see
            `CommandDescription`.
        minor: columns that a narrow terminal can do without, those first that are missed least.
        secret: its arguments hold secrets: nothing but its name may be logged.
        hidden: not listed, for programs alone.
        audit: it is written to the audit trail; only what is trivial (PING, ECHO, TIME) is not.
        urgent: acts as soon as it arrives, also while another command of the session runs; where it is inline.
        unlimited: a token's rate does not hold it back, nor does it count: it makes room (`EXIT`, `CANCEL`).
        about_session: it concerns the caller's own session alone (`HELP`, `LANG`), so a token's list of commands does
            not forbid it.
        of_connection: it is about the connection itself, its login, its codec, its end: where each request stands for
            itself, as over HTTP, there is no such command.
        timeout: seconds after which a handler on a worker is told to stop; None never.
        job: each run of it is a job, which goes on without the connection. What follows, but for `internal`, is for
            jobs alone, and `job_policy` says what contradicts what.
        max_running: so many runs of it at once; None any number.
        when_busy: what becomes of a start that cannot begin beside those that run.
        lock: what no other job may hold at the same time, whatever its command: words with `{argument}` in them.
        on_revoked: what becomes of a job when what started it is revoked.
        notify: names of internal commands, which are told when a job of it ends.
        internal: it is there for `notify` alone: no client can call it or learn of it.
        complete: by a parameter's name, who is asked for its values while a person types.
        confirm: what clients ask their users before they send it, with `{parameter}` and `{server}` in it; English,
            translated where it is shown. It is advice: nobody is held to it.
        danger: it may do harm, so that clients ask the harder, also where there is no `confirm`.
        preview: the name of the command that tells, of the same arguments, what this one would choose; clients show
            that and ask `confirm`, and send what was shown as the option `shown`, where there is one. See
            `CommandDescription`.
        group: the subject under which lists of commands show it; English, translated where it is shown.
        example: its arguments as one might type them; English where it has words, translated where it is shown.

    Raises:
        SignatureError: the name is none, `complete` or `confirm` names a parameter that there is not, or is secret, or
            the example's are no arguments for it; or there is a `preview` without what belongs to it.
    """

    name: str
    handler: Callable[..., object]
    signature: Signature
    summary: str = ""
    role: Role = Role.USER
    inline: bool = False
    idempotent: bool = False
    reply: ReplyKind = ReplyKind.TEXT
    form: str = ""
    columns: tuple[str, ...] = ()
    empty: str = ""
    unmatched: str = ""
    pages: str = ""
    minor: tuple[str, ...] = ()
    secret: bool = False
    audit: bool = True
    hidden: bool = False
    urgent: bool = False
    unlimited: bool = False
    about_session: bool = False
    of_connection: bool = False
    timeout: float | None = DEFAULT_TIMEOUT
    job: bool = False
    max_running: int | None = None
    when_busy: WhenBusy = "refuse"
    lock: str = ""
    on_revoked: OnRevoked = "stop"
    notify: tuple[str, ...] = ()
    internal: bool = False
    complete: Mapping[str, Complete] = field(default_factory=dict)
    confirm: str = ""
    danger: bool = False
    preview: str = ""
    group: str = ""
    example: str = ""
    words: tuple[bytes, ...] = field(init=False)
    """The name as a peer sends it, upper case."""
    durable: bool = field(init=False)
    """An administrator's deed, of role admin and not idempotent: it is on record, on disk, before it is answered. So it
    runs on a worker even where it could run inline, for no I/O thread waits for a disk."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise SignatureError(
                Sentence(
                    "{name!r} is no name for a command; take a word, or two for a subcommand, of A-Z, 0-9, - and _, "
                    "with a letter first",
                    name=self.name,
                )
            )
        if self.timeout is not None and not _is_time(self.timeout):
            raise SignatureError(
                Sentence(
                    "{name}: its timeout {timeout!r} is no number of seconds above 0 and at most {most}, nor None",
                    name=self.name,
                    timeout=self.timeout,
                    most=LONGEST_TIMEOUT,
                )
            )
        object.__setattr__(self, "durable", self.role is Role.ADMIN and self.audit and not self.idempotent)
        object.__setattr__(self, "words", tuple(self.name.encode().split(b" ")))
        if unknown := self.complete.keys() - {parameter.name for parameter in self.signature.parameters}:
            raise SignatureError(
                Sentence(
                    "{name}: complete names {names}, which it does not take",
                    name=self.name,
                    names=", ".join(sorted(unknown)),
                )
            )
        if self.preview:
            question.check_preview(self.name, self.confirm)
        if self.confirm:
            question.check(self.name, self.confirm, self.signature, secret=self.secret)
        if self.example:
            self._try(self.example)
        if secret := [
            item.name for item in self.signature.parameters if item.more.secret and item.name in self.complete
        ]:
            raise SignatureError(
                Sentence(
                    "{name}: complete names {names}, which is secret; take it out, for nobody is asked what it may be",
                    name=self.name,
                    names=", ".join(secret),
                )
            )

    def _try(self, example: str) -> None:
        try:
            self.signature.bind(self.name, split(example.encode()))
        except (Failure, ValueError) as error:
            why = error.sentence().rstrip(".") if isinstance(error, Failure) else str(error)
            raise SignatureError(
                Sentence("{name}: its example {example!r} is none: {why}", name=self.name, example=example, why=why)
            ) from None

    @property
    def clearable(self) -> bool:
        """Whether running it again takes no judgement: no record, no conversion, no other thread."""
        return self.inline and not (self.audit or self.durable or self.role is Role.NOBODY) and self.signature.raw

    def lock_of(self, values: Sequence[object], flags: Mapping[str, object]) -> str:
        """Return the name of the lock that a run with these arguments holds; empty for none.

        Args:
            values: as `Signature.bind` returns them.
            flags: likewise.
        """
        words = self.signature.words(values, flags) if self.lock else {}
        return filled(self.lock, {name: part_of_name(b" ".join(words[name])) for name in names_in(self.lock)}) or ""

    @property
    def discreet(self) -> bool:
        """Whether what a handler raises may quote a secret."""
        return self.secret or self.signature.secret

    def shown(self, given: list[bytes]) -> Sequence[bytes | Withheld] | None:
        """Return the arguments of a request as logs, the audit trail and whoever keeps them may have them.

        A secret is withheld, and of data there are size and hash. Where a command that takes a secret refuses the
        arguments as they are, nobody knows which of them it is.

        Args:
            given: as they came, without the command's name.

        Returns:
            None where nothing may be shown.
        """
        if self.secret:
            return None
        if not self.signature.withheld:
            return given
        try:
            self.signature.bind(self.name, given)
        except Failure:
            return None
        return [_shown(argument, parameter) for argument, parameter in self.signature.placed(given)]

    def describe(self, translate: Translate) -> CommandDescription:
        """Return it as clients read it."""
        return CommandDescription(
            name=self.name,
            summary=translate(self.summary) if self.summary else "",
            role="" if self.role is Role.NOBODY else self.role.label,
            arguments=tuple(parameter.describe(translate) for parameter in self.signature.parameters),
            idempotent=self.idempotent,
            reply=self.reply,
            form=translate(self.form) if self.form else "",
            columns=self.columns,
            empty=translate(self.empty) if self.empty else "",
            unmatched=translate(self.unmatched) if self.unmatched else "",
            pages=self.pages,
            minor=self.minor,
            job=self.job,
            confirm=question.as_shown(translate(self.confirm)) if self.confirm else "",
            danger=self.danger,
            preview=self.preview,
            group=translate(self.group) if self.group else "",
            example=translate(self.example) if self.example else "",
        )


def _shown(argument: bytes, parameter: Parameter | None) -> bytes | Withheld:
    if parameter is None or not (parameter.more.secret or parameter.more.body):
        return argument
    return Withheld() if parameter.more.secret else Withheld.of(argument)


def _is_time(timeout: object) -> bool:
    """Whether a deadline can be made of it; authors write "10s", as in the configuration, and timers take anything."""
    return isinstance(timeout, int | float) and not isinstance(timeout, bool) and 0 < timeout <= LONGEST_TIMEOUT


def command(
    name: str,
    *,
    summary: str = "",
    role: Role | Literal["user", "operator", "admin"] = Role.USER,
    inline: bool = False,
    idempotent: bool = False,
    reply: ReplyKind | Literal["text", "timestamp", "lines", "table", "stream"] | None = None,
    form: str = "",
    columns: tuple[str, ...] = (),
    empty: str = "",
    unmatched: str = "",
    pages: str = "",
    minor: tuple[str, ...] = (),
    secret: bool = False,
    audit: bool = True,
    hidden: bool = False,
    urgent: bool = False,
    unlimited: bool = False,
    about_session: bool = False,
    of_connection: bool = False,
    timeout: float | EllipsisType | None = ...,
    job: bool = False,
    max_running: int | None = None,
    when_busy: WhenBusy = "refuse",
    lock: str = "",
    on_revoked: OnRevoked = "stop",
    notify: tuple[str, ...] = (),
    internal: bool = False,
    arguments: dict[str, str] | None = None,
    complete: Mapping[str, Complete] | None = None,
    confirm: str = "",
    danger: bool = False,
    preview: str = "",
    group: str = "",
    example: str = "",
) -> Callable[[Handler], Handler]:
    """Make a function a command; the arguments are `Command`'s, and `arguments` gives a sentence for a parameter.

    `role` and `reply` may be given by their names. Without a summary it is the first line of the function's docstring.
    Without `reply` it is what the function is annotated to return: a `Table`, a `Timestamp`, else text; a generator's
    is a stream. Without `timeout` it is 60 seconds, or none for a job. Without `group` it is `GROUP` of the module.

    Raises:
        SignatureError: the function's signature cannot be a command's, or an argument is of a wrong type.
    """
    given = {**locals()}

    def register(handler: Handler) -> Handler:
        title = getattr(handler, "__qualname__", repr(handler))
        check(title, given)
        if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
            raise SignatureError(
                Sentence("{title}: a handler runs on a thread, so it cannot be async; write def", title=title)
            )
        if inline and inspect.isgeneratorfunction(handler):
            raise SignatureError(Sentence("{title}: a generator streams, so it cannot run inline", title=title))
        made = Command(
            name=name.upper(),
            handler=handler,
            signature=Signature(handler, arguments),
            summary=summary or (handler.__doc__ or "").strip().partition("\n")[0],
            role=role_of(role, title),
            inline=inline,
            idempotent=idempotent,
            reply=returned(handler) if reply is None else ReplyKind(reply),
            form=form,
            columns=tuple(columns),
            empty=empty,
            unmatched=unmatched,
            pages=pages,
            minor=tuple(minor),
            secret=secret,
            audit=audit,
            hidden=hidden,
            urgent=urgent,
            unlimited=unlimited,
            about_session=about_session,
            of_connection=of_connection,
            timeout=default_timeout(job=job) if isinstance(timeout, EllipsisType) else timeout,
            job=job,
            max_running=max_running,
            when_busy=when_busy,
            lock=lock,
            on_revoked=on_revoked,
            notify=tuple(notify),
            internal=internal,
            complete=complete or {},
            confirm=confirm,
            danger=danger,
            preview=preview,
            group=group or _group_of(handler),
            example=example,
        )
        aliases = getattr(handler, ATTRIBUTE, ())
        setattr(handler, ATTRIBUTE, (*aliases, made))
        return handler

    return register


def _group_of(handler: Callable[..., object]) -> str:
    """Return what the handler's module says; a `GROUP` that is no text means something else there."""
    said = getattr(inspect.unwrap(handler), "__globals__", {}).get(GROUP)
    return said if isinstance(said, str) else ""


def default_timeout(*, job: bool) -> float | None:
    """Return the seconds that a command has which says nothing of them; None: as many as it takes."""
    return None if job else DEFAULT_TIMEOUT
