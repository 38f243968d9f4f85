"""What may be given to `@command`, and whether it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, get_args

from secure_protocol.replies import ReplyKind
from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.commands.signature import SignatureError

WhenBusy = Literal["refuse", "queue", "attach"]
"""What becomes of a start that cannot begin beside those that run: nothing, it waits, or the run that there is with the
same arguments is what was asked for."""
OnRevoked = Literal["stop", "go-on"]
"""What becomes of a job when the token or certificate that started it is revoked."""


def role_of(role: Role | str, handler: str) -> Role:
    """Return the role that `@command` was given, by itself or by its name.

    Raises:
        SignatureError: there is no such role.
    """
    if isinstance(role, Role):
        return role
    if role in (labels := [item.label for item in Role if item]):
        return Role.parse(role)
    raise SignatureError(
        Sentence("{handler}: its role {role!r} is none of {names}", handler=handler, role=role, names=", ".join(labels))
    )


def check(handler: str, given: Mapping[str, object]) -> None:
    """Refuse what `command` cannot use now, rather than where a peer, or all who list commands, would meet it.

    Args:
        handler: its name, for the error.
        given: all options, by their names.

    Raises:
        SignatureError: one is of a wrong type.
    """
    for names, allowed, fits in _ALLOWED:
        for name in names:
            if not fits(given[name]):
                raise SignatureError(
                    Sentence(
                        "{handler}: its {name} {value!r} is not {allowed}",
                        handler=handler,
                        name=name,
                        value=given[name],
                        allowed=allowed,
                    )
                )


def _all(kind: type, values: Iterable[object]) -> bool:
    return all(isinstance(value, kind) for value in values)


_ALLOWED: tuple[tuple[tuple[str, ...], Sentence, Callable[[object], bool]], ...] = (
    (
        ("name", "summary", "form", "empty", "unmatched", "pages", "lock", "confirm", "preview", "group", "example"),
        Sentence("a str"),
        lambda value: isinstance(value, str),
    ),
    (
        (
            "inline",
            "idempotent",
            "secret",
            "audit",
            "hidden",
            "urgent",
            "unlimited",
            "about_session",
            "of_connection",
            "job",
            "internal",
            "danger",
        ),
        Sentence("True or False"),
        lambda value: isinstance(value, bool),
    ),
    (
        ("max_running",),
        Sentence("a whole number above 0, nor None"),
        lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0),
    ),
    (
        ("when_busy",),
        Sentence("one of {names}", names=", ".join(get_args(WhenBusy))),
        lambda value: value in get_args(WhenBusy),
    ),
    (
        ("on_revoked",),
        Sentence("one of {names}", names=", ".join(get_args(OnRevoked))),
        lambda value: value in get_args(OnRevoked),
    ),
    (
        ("reply",),
        Sentence("one of {names}", names=", ".join(ReplyKind)),
        lambda value: value is None or (isinstance(value, str) and value in list(ReplyKind)),
    ),
    (
        ("columns", "minor", "notify"),
        Sentence("a tuple of str"),
        lambda value: isinstance(value, tuple | list) and _all(str, value),
    ),
    (
        ("arguments",),
        Sentence("a dict of str by the names of parameters"),
        lambda value: (
            value is None or (isinstance(value, Mapping) and _all(str, value.keys()) and _all(str, value.values()))
        ),
    ),
    (
        ("complete",),
        Sentence("a dict of functions by the names of parameters"),
        lambda value: (
            value is None
            or (isinstance(value, Mapping) and _all(str, value.keys()) and all(map(callable, value.values())))
        ),
    ),
)
"""Of the arguments of `command`: which, what they may be, and whether a value is that."""
