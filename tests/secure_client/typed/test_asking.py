"""What is asked before a command is sent, and what counts as a yes."""

from __future__ import annotations

import io
import sys

import click
import pytest

from secure_client.catalogue import PLAIN, Catalogue, is_plain
from secure_client.errors import DeclinedError, NotSentError
from secure_client.typed.asking import Question, ask_plainly
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.command import Command
from secure_server.commands.registry import Registry

RESTART = CommandDescription(
    "RESTART",
    arguments=(
        ArgumentDescription("service"),
        ArgumentDescription("hosts", variadic=True, optional=True),
        ArgumentDescription("wait", optional=True, flag=True, default="30s"),
        ArgumentDescription("force", "bool", optional=True, flag=True),
        ArgumentDescription("body", optional=True, flag=True, file=True),
        ArgumentDescription("key", optional=True, flag=True, secret=True),
    ),
)


def asked(text: str, confirm: str, *, danger: bool = False) -> str:
    """What is asked about a typed line; empty where nothing is."""
    questions: list[Question] = []

    def ask(question: Question) -> bool:
        questions.append(question)
        return False

    precautions = Precautions("work", ask=ask)
    line = Line.parse(text)
    assert line is not None
    catalogue = Catalogue([RESTART._replace(confirm=confirm, danger=danger)])
    line = line.without_secrets(catalogue)
    try:
        assert precautions.take(catalogue, line) == line
    except DeclinedError:
        assert questions
    return questions[0].text if questions else ""


@pytest.mark.parametrize(
    ("text", "confirm", "question"),
    [
        ("RESTART web", "Restart {service} on {server}?", "Restart web on work?"),
        ("restart web a b", "{service} at {hosts}?", "web at a b?"),
        ("restart web", "{service} at {hosts}, {wait}, {force}?", "web at , 30s, ?"),
        ("RESTART --force --wait=5s web", "{service}, {wait}, {force}?", "web, 5s, yes?"),
        ("RESTART", "{service}?", "?"),
        ("RESTART {server}", "{service}, {{service}}, {nothing}, {", "{server}, {service}, {nothing}, {"),
        ('RESTART "a\\x1b[2J" b\u202e', "{service} {hosts}\x1b[31m?", "a\\x1b[2J b\\u202e\\x1b[31m?"),
        ("RESTART web --key s3cret", "{service} {key}?", "web ***?"),
        ("JOB START RESTART web", "{service}?", ""),  # this server has no jobs
        ("RESTART " + "x" * 300, "{service}?", "x" * 200 + "…?"),
        ("RESTART web", "", ""),
    ],
)
def test_a_question_is_filled_in(text: str, confirm: str, question: str) -> None:
    """With what is given, or what is so without; printable, bounded, and without secrets."""
    assert asked(text, confirm) == question


def test_danger_is_asked_about_without_a_question() -> None:
    """It shows the command; a question of its own goes before that."""
    assert asked('RESTART "web  1" --key=s3cret', "", danger=True) == 'Run RESTART "web  1" --key=*** on work?'
    assert asked("RESTART web", "Sure, {server}?", danger=True) == "Sure, work?"


@pytest.mark.parametrize(
    ("danger", "language", "answers"),
    [
        (False, "en", {"y": True, " Yes \n": True, "": False, "n": False, "yo": False, "s": False}),
        (True, "en", {"y": False, "yes": True, "YES\n": True, "": False, "yes!": False}),
        (False, "pt_BR", {"s": True, "sim": True, "y": True, "n": False, "": False}),
        (True, "pt_BR", {"s": False, "sim": True, "yes": True, "n\u00e3o": False}),
    ],
)
def test_what_is_a_yes(
    monkeypatch: pytest.MonkeyPatch,
    danger: bool,  # noqa: FBT001 - a table's column
    language: str,
    answers: dict[str, bool],
) -> None:
    """Where it is dangerous the whole word; in English everywhere. All else is a no."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    question = Question("Sure?", danger)
    assert {answer: question.accepts(answer) for answer in answers} == answers
    assert bool(question.warning) is danger


@pytest.mark.parametrize(
    ("typed", "yes"), [(b"y\n", True), (b"y", True), (b"\xff\n", False), (b"\n", False), (b"", False)]
)
def test_what_is_typed_without_a_prompt(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: bytes,
    yes: bool,  # noqa: FBT001 - a table's column
) -> None:
    """What is no text is a no, and what is said next begins on a line of its own."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed), "utf-8"))
    assert ask_plainly(Question("Sure?", danger=False)) is yes
    assert capsys.readouterr().err == "Sure? [y/N] " + "\n" * (not typed.endswith(b"\n") or typed == b"\xff\n")


def test_a_ctrl_c_as_soon_as_the_question_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read."""

    def pressed(text: str, *, err: bool, nl: bool, color: bool | None) -> None:
        echo(text, err=err, nl=nl, color=color)
        monkeypatch.undo()
        raise KeyboardInterrupt

    echo = click.echo
    monkeypatch.setattr(click, "echo", pressed)
    with pytest.raises(KeyboardInterrupt):
        ask_plainly(Question("Sure?", danger=False))
    assert capsys.readouterr().err == "Sure? [y/N] \n"


def test_without_anybody_to_ask_nothing_is_sent() -> None:
    """Unless the answer was given beforehand; then nobody is asked either."""
    catalogue = Catalogue([RESTART._replace(confirm="Restart {service}?")])
    line = Line("RESTART web", (b"RESTART", b"web"))
    with pytest.raises(
        NotSentError, match=r"^Restart web\? There is no terminal to answer on, so nothing was sent; "
    ) as caught:
        Precautions("work").take(catalogue, line)
    assert caught.value.exit_code == 2
    assert Precautions("work", yes=True, ask=lambda _: pytest.fail("asked")).take(catalogue, line) == line
    assert Precautions("work", ask=lambda _: True).take(catalogue, line) == line


def test_a_job_that_is_run_again_is_asked_about_as_its_command_is() -> None:
    """With the arguments that it had; what is not kept of them is not shown."""
    rerun = CommandDescription("JOB RERUN", arguments=(ArgumentDescription("job", "int"),))
    catalogue = Catalogue([RESTART._replace(confirm="Restart {service}, {key}?"), rerun])
    line = Line("JOB RERUN 7", (b"JOB", b"RERUN", b"7"))
    told = {"job": 7, "command": "RESTART", "arguments": ["web", "--key", "(secret)"]}
    with pytest.raises(NotSentError, match=r"^Restart web, \*{3}\? There is no terminal"):
        Precautions("work").take(catalogue, line, lambda *words: told if words == ("JOB", "SHOW", b"7") else None)
    dangerous = Catalogue([RESTART._replace(danger=True), rerun])
    with pytest.raises(NotSentError, match=r"^Run JOB RERUN 7 \(RESTART web --key \(secret\)\) on work\? There is no"):
        Precautions("work").take(dangerous, line, lambda *_words: told)
    assert Precautions("work").take(catalogue, line) == line, "one that cannot be seen is the server's to refuse"


def test_nothing_is_asked_before_built_in_commands_but_those_that_destroy() -> None:
    """So a script need not know of them first, and none waits for a person; nobody else can have their names.

    Before `KICK` with a filter and `SERVER DRAIN` a preview says whom they would choose.
    """
    registry = Registry()
    registry.load(BUILT_IN)
    assert {item.name for item in registry if item.confirm or item.danger} == {
        *("CERT REVOKE", "KICK", "SERVER DRAIN", "SERVER SHUTDOWN", "TOKEN PURGE", "TOKEN REVOKE"),
    }
    assert [item.name for item in registry if item.preview] == ["KICK", "SERVER DRAIN"]
    for name in PLAIN:
        found = registry.named(name)
        assert isinstance(found, Command), name
        assert not any(argument.secret or argument.file for argument in found.describe(str).arguments)
    assert is_plain(["echo", "x"])
    assert not is_plain(["RESTART"])
    assert not is_plain([])
