"""What commands say of their jobs: contradictions stop the start, and a lock is called after its arguments."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_protocol.description import ArgumentDescription
from secure_protocol.printable import printable
from secure_server.auth.principal import Role
from secure_server.commands import Argument, Context, command
from secure_server.commands.command import Command
from secure_server.commands.job_policy import TOLD, contradictions
from secure_server.commands.parameter import Parameter
from secure_server.commands.placeholders import WORD_CHARACTERS
from secure_server.commands.programs.program import declare
from secure_server.commands.registry import Registry
from secure_server.i18n import Translate


class Target(enum.Enum):
    """Where to."""

    STAGING = "staging"
    PRODUCTION = "production"


def deploy(
    context: Context,
    service: Literal["web", "worker"],
    target: Target = Target.STAGING,
    size: int = 5,
    note: str = "",
    *rest: str,
    wait: timedelta = timedelta(minutes=5),
    since: datetime | None = None,
    bad: Annotated[int, Argument(minimum=1)] = 0,
) -> None:
    """Take arguments of every kind."""


def plain(context: Context) -> None:
    """Take none."""


def made(handler: Callable[..., None] = plain, name: str = "X", /, **policy: object) -> Command:
    """A command with this policy."""
    vars(handler).pop("__command__", None)
    command(name, **policy)(handler)  # type: ignore[arg-type] # whatever a test gives
    (found,) = vars(handler)["__command__"]
    assert isinstance(found, Command)
    return found


def found(*commands: Command) -> list[str]:
    """What contradicts itself in these."""
    registry = Registry()
    for item in commands:
        registry.add(item)
    return [str(item).removeprefix("The command X: ") for item in contradictions(registry)]


@pytest.mark.parametrize(
    "policy",
    [
        {"job": True},
        {"job": True, "max_running": 1, "when_busy": "queue", "on_revoked": "go-on"},
        {"job": True, "lock": "deploy-{service}"},
        {"job": True, "lock": "{service}{target}{size}{wait} {{service}}"},
        {"inline": True, "secret": True, "urgent": True, "about_session": True, "role": Role.NOBODY},
    ],
)
def test_what_agrees(policy: dict[str, object]) -> None:
    """A command, and a job with whatever a job may have."""
    assert found(made(deploy, **policy)) == []


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"max_running": 2}, "max_running is for jobs; add job = true, or take it away."),
        ({"when_busy": "queue"}, "when_busy is for jobs; add job = true, or take it away."),
        ({"lock": "x"}, "lock is for jobs; add job = true, or take it away."),
        ({"on_revoked": "go-on"}, "on_revoked is for jobs; add job = true, or take it away."),
        ({"notify": ("TEAM",)}, "notify is for jobs; add job = true, or take it away."),
        *(
            (
                {"job": True, name: True},
                f"a job is a run of its own, on record, so it cannot be {name}; take one away.",
            )
            for name in ("inline", "urgent", "secret", "about_session")
        ),
        (
            {"job": True, "role": Role.NOBODY},
            "a job belongs to somebody, so its role cannot be nobody; take user.",
        ),
        ({"job": True, "lock": "a{servcie}"}, "its lock names {servcie}, which is no argument."),
        ({"job": True, "lock": "{rest}"}, "its lock names {rest}, which may be several."),
        ({"job": True, "lock": "{note}"}, "its lock names {note}, which may be left out and has no default."),
        ({"job": True, "lock": "{since}"}, "its lock names {since}, which may be left out and has no default."),
        (
            {"job": True, "lock": "{bad}"},
            "its lock names {bad}, which has a default that is not allowed: Argument bad: 0 is less than 1.",
        ),
        (
            {"job": True, "lock": "a-{Service}"},
            "its lock has braces around what is no name; a name has small letters, digits and _.",
        ),
        ({"job": True, "lock": "a\n"}, "its lock has control characters, or more than 200 characters."),
        ({"job": True, "lock": "a" * 201}, "its lock has control characters, or more than 200 characters."),
    ],
)
def test_a_contradiction_is_named(policy: dict[str, object], problem: str) -> None:
    """What it is, and what to do."""
    first, *others = found(made(deploy, **policy))
    assert first == problem
    assert all("notify names" in other for other in others)


def test_a_secret_is_in_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For people read what a lock is called."""

    def secret(self: Parameter, _translate: Translate) -> ArgumentDescription:
        return ArgumentDescription(self.name, secret=True)

    monkeypatch.setattr(Parameter, "describe", secret)
    assert found(made(deploy, job=True, lock="{service}")) == ["its lock names {service}, which is secret."]


def test_who_is_notified_is_there_and_internal() -> None:
    """Whichever of the two was added first."""
    x, team = made(plain, job=True, notify=("team",)), made(plain, "TEAM", internal=True)
    assert found(x, team) == found(team, x) == []
    assert found(x) == ["notify names team, but there is no such command; declare it, internal."]
    assert found(x, made(plain, "TEAM")) == ["notify names team, which clients can call; add internal = true there."]


def test_an_internal_command_takes_what_it_is_given() -> None:
    """Any of it, each as one text; and it is no job, of which others would be told."""

    def some(context: Context, state: str, job: str) -> None: ...
    def typed(context: Context, job: int) -> None: ...
    def chosen(context: Context, state: Literal["done", "failed"]) -> None: ...
    def option(context: Context, *, who: str = "") -> None: ...
    def several(context: Context, *who: str) -> None: ...
    def other(context: Context, command: str, env: str) -> None: ...

    every = {"run": ["true", *(f"{{{name}}}" for name in TOLD)], "arguments": {name: {} for name in TOLD}}
    assert found(made(some, internal=True), declare("Y", {**every, "internal": True})) == []
    for handler, name in ((typed, "job"), (chosen, "state"), (option, "who"), (several, "who")):
        assert found(made(handler, internal=True)) == [
            f"{name} is given as one text: no other type, no choices, no option."
        ]
    (problem,) = found(made(other, internal=True))
    assert problem.endswith("given job, command, state, who, exit_code and nothing else, so env cannot be an argument.")
    assert found(made(plain, internal=True, job=True)) == ["an internal command is told of jobs, so it cannot be one."]


def lock(template: str, *arguments: bytes, handler: Callable[..., None] = deploy) -> str:
    """The lock of a run with these arguments."""
    item = made(handler, job=True, lock=template)
    return item.lock_of(*item.signature.bind("X", list(arguments)))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((b"web",), "web/staging/5/5m"),
        ((b"WEB", b"Staging", b"+05"), "web/staging/5/5m"),
        ((b"worker", b"production", b"7", b"--wait=90s"), "worker/production/7/90s"),
        ((b"web", b"--wait", b"300"), "web/staging/5/5m"),
    ],
)
def test_a_lock_is_called_after_its_arguments(arguments: tuple[bytes, ...], name: str) -> None:
    """As people write them, defaults too: however a peer writes the same thing, it is the same lock."""
    assert lock("{service}/{target}/{size}/{wait}", *arguments) == name
    assert lock("nightly", b"web") == "nightly"
    assert lock("", b"web") == ""


def test_a_programs_lock_is_called_after_its_arguments() -> None:
    """Its default, too."""
    item = declare(
        "X",
        {"run": ["true", "{env}"], "arguments": {"env": {"default": "dev"}}, "job": True, "lock": "a-{env}-{{env}}"},
    )
    assert [item.lock_of(*item.signature.bind("X", given)) for given in ([], [b"prod"])] == [
        "a-dev-{env}",
        "a-prod-{env}",
    ]


def one(context: Context, text: Annotated[str, Argument(longest=65536)]) -> None:
    """Take a text."""


@settings(deadline=None)
@given(st.lists(st.text(max_size=2 * WORD_CHARACTERS), min_size=2, max_size=2, unique=True))
def test_what_stands_in_a_lock_can_be_read_and_is_one_value(values: list[str]) -> None:
    """Control characters become visible, what is long is cut, and two values are two locks all the same."""
    first, second = (lock("a-{text}", value.encode(), handler=one) for value in values)
    assert first != second
    for name in (first, second):
        assert printable(name, 1000) == name
        assert len(name) <= len("a-") + 10 * WORD_CHARACTERS + 20


def test_braces_in_a_value_mean_nothing() -> None:
    """A value is put in, never looked into."""
    assert lock("a-{text}", b"{text}", handler=one) == "a-{text}"
    assert lock("a-{text}", b"\n", handler=one).startswith("a-\\x0a~")


def test_clients_are_told_what_is_a_job() -> None:
    """And nothing of what may run beside what."""
    assert made(plain, job=True, max_running=1).describe(str).to_wire().get("job") is True
    assert "job" not in made(plain).describe(str).to_wire()


@pytest.mark.parametrize(
    ("said", "timeout"),
    [({}, 60.0), ({"job": True}, None), ({"job": True, "timeout": 5}, 5), ({"timeout": None}, None)],
)
def test_a_job_has_the_time_that_it_takes(said: dict[str, object], timeout: float | None) -> None:
    """Unless it says otherwise."""
    assert made(plain, **said).timeout == timeout
