"""What somebody asked to have run as a job: judged, its arguments converted, and not begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from secure_protocol.text_requests import Request
from secure_server.audit.record import Withheld
from secure_server.auth.principal import Principal
from secure_server.commands.command import Command
from secure_server.commands.context import Context
from secure_server.jobs.job import Job, kept
from secure_server.session.standing import Standing


@dataclass(frozen=True, slots=True)
class Order:
    """One start.

    Attributes:
        command: what is to run, by the policy that it has now.
        given: its arguments as they came.
        values: as the handler takes them, see `Signature.bind`.
        flags: likewise.
        principal: who asked.
        language: of theirs.
        address: where they are.
        key: by which the same principal finds the job that there is already; empty: none.
        rerun_of: the job that it repeats.
    """

    command: Command
    given: Request = field(repr=False)
    values: Sequence[object] = field(repr=False)
    flags: Mapping[str, object] = field(repr=False)
    principal: Principal
    language: str
    address: str
    key: str = ""
    rerun_of: int | None = None

    @classmethod
    def of(
        cls,
        session: Standing,
        principal: Principal,
        command: Command,
        given: Request,
        *,
        key: str = "",
        rerun_of: int | None = None,
    ) -> Self:
        """Return what a session asks for.

        Raises:
            CommandError: these are no arguments for the command.
        """
        values, flags = command.signature.bind(command.name, given)
        address = session.peer.address
        return cls(command, given, values, flags, principal, session.language, address, key, rerun_of)

    def handler(self, context: Context) -> object:
        """Call the command's handler."""
        return self.command.handler(context, *self.values, **self.flags)

    @property
    def kept(self) -> tuple[bytes | Withheld, ...]:
        """The arguments as a record has them."""
        shown = self.command.shown(self.given)
        return kept([Withheld()] * len(self.given) if shown is None else shown)

    def may_have_been(self, job: Job) -> bool:
        """Whether a job may be of such a start: of a secret its record has nothing that could be compared."""
        asked = self.kept
        return (
            job.command == self.command.name
            and len(job.arguments) == len(asked)
            and all(
                _secret(one) or _secret(other) or one == other for one, other in zip(job.arguments, asked, strict=True)
            )
        )

    def again(self, principal: Principal, command: Command) -> Self:
        """Return the same for what the command and who asked for it are now.

        Raises:
            CommandError: its arguments are none of that any more.
        """
        values, flags = self.values, self.flags
        if command is not self.command:
            values, flags = command.signature.bind(command.name, self.given)
        return replace(self, command=command, values=values, flags=flags, principal=principal)


def _secret(argument: bytes | Withheld) -> bool:
    return isinstance(argument, Withheld) and argument.size is None
